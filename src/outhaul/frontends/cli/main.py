"""The `outhaul` command: its options, and what each exit code stands for.

Each command's module is imported when it is called, and argparse is all that is loaded for `--help`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TextIO

from outhaul.frontends.cli.parsing import Parser
from outhaul.frontends.cli.starting import begin
from outhaul.frontends.cli.stopping import hear

VERSION = "0.1.0"
EXIT_CODES = """exit codes:
  0    everything was carried, or there was nothing to do
  1    something is held or failed: outhaul status
  2    wrong usage or configuration
  3    another outhaul runs on this state directory
  4    a destination cannot be used: outhaul check
  130  interrupted
"""
_MOVE_EXAMPLE = "outhaul move /data/done s3://my-bucket/site-7 --include '*.csv'"
_COPY_EXAMPLE = "outhaul copy /data s3://my-bucket/site-7 --quiet-for 30s"


def entry() -> None:
    """The console script."""
    begin()
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    options = build_parser().parse_args(arguments)
    return guarded("outhaul", lambda: import_module(options.module).__dict__[options.function](options))


def guarded(program: str, command: Callable[[], int]) -> int:
    """Run a command: stopped by signals when it is at a place to be stopped, and each foreseeable fault is one line.

    Args:
        program: What the lines begin with.
        command: Gives the exit code.
    """
    from outhaul.model.errors import AnotherInstance, ConfigurationError, OuthaulError
    from outhaul.model.keys import printable

    def complain(text: str) -> None:
        begin = ""
        if "JOURNAL_STREAM" in os.environ:
            from outhaul.frontends.telling.log import ERROR, priority

            begin = priority(ERROR)
        print(f"{begin}{program}: {text}", file=sys.stderr)

    hear(program)
    try:
        code = command()
        sys.stdout.flush()
        return code
    except ConfigurationError as error:
        for problem in error.problems:
            complain(printable(problem))
        return 2
    except AnotherInstance as error:
        complain(printable(str(error)))
        return 3
    except OuthaulError as error:
        complain(printable(str(error)))
        return 1
    except MemoryError:
        complain("there is not enough memory: raise the limit, or compress at a lower level")
        return 1
    except BrokenPipeError:  # Whoever read our output has had enough.
        silence(sys.stdout)
        return 0
    except OSError as error:  # Adapters let none out: what is left is our own output.
        silence(sys.stdout)
        complain(f"the output cannot be written: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        return 130


def silence(stream: TextIO) -> None:
    """Let a stream that cannot be written lead nowhere, so that Python has nothing to complain of at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


# --- options -------------------------------------------------------------------------------------------------------


_NICE = "let other programs go first, 1 to 19, as nice(1) does (default: nice of the configuration, or 0)"
_BANDWIDTH = "send no more than so many bytes a second, such as 2MiB/s, or none (default: no limit)"


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = Parser(
        prog="outhaul",
        description="Carries finished files to object storage, proves that they arrived, and only then lets go of "
        "the local copy.",
        epilog=f"example:\n  outhaul move /var/log/readings s3://my-bucket/site-7\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"outhaul {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    state = _state_options()
    reporting = _reporting_options()
    from outhaul.frontends.cli.object_options import add_object_options, connection_options
    from outhaul.frontends.cli.sharing import add_ledger, add_shard

    connection = connection_options()

    run = _command(
        commands, "run", "carry.run", "one pass over every job of a configuration, then exit",
        "outhaul run /etc/outhaul/outhaul.toml\n  outhaul run outhaul.toml --job powerhouse --dry-run",
        [state, reporting, connection],
    )  # fmt: skip
    run.add_argument(
        "config",
        metavar="CONFIG",
        nargs="?",
        help="configuration file (default: ~/.config/outhaul/outhaul.toml, then /etc/outhaul/outhaul.toml)",
    )
    run.add_argument("--job", metavar="NAME", action="append", default=[], help="only this job; may be repeated")
    run.add_argument("--dry-run", action="store_true", help="say what would be carried, and touch nothing")
    run.add_argument("--bandwidth", metavar="RATE", default="", help=_BANDWIDTH)
    _add_log_options(run)
    add_shard(run)
    run.add_argument("--nice", metavar="N", default="", help=_NICE)

    watch = _command(
        commands, "watch", "watch.watch", "the same as a daemon: each file goes as soon as it has settled",
        "outhaul watch /etc/outhaul/outhaul.toml", [state, reporting, connection],
    )  # fmt: skip
    watch.add_argument(
        "config", metavar="CONFIG", nargs="?", help="configuration file, as for `run`; SIGHUP reads it anew"
    )
    watch.add_argument("--bandwidth", metavar="RATE", default="", help=_BANDWIDTH)
    _add_log_options(watch)
    add_ledger(watch)
    watch.add_argument("--nice", metavar="N", default="", help=_NICE)

    pause = _command(
        commands, "pause", "pausing.pause", "stop carrying, beside a `watch` or before the next `run`; nothing is left half done",
        "outhaul pause\n  outhaul pause camera --for 2h --why maintenance", [state],
    )  # fmt: skip
    pause.add_argument("job", metavar="JOB", nargs="*", help="only these jobs (default: all)")
    end = pause.add_mutually_exclusive_group()
    end.add_argument(
        "--for", metavar="TIME", dest="duration", default="", help="how long, such as 2h (default: until `resume`)"
    )
    end.add_argument("--until", metavar="TIME", default="", help="until when: 06:00, or 2026-11-22T06:00")
    pause.add_argument("--why", metavar="TEXT", default="", help="what `status` says of it")
    pause.add_argument(
        "--config", metavar="FILE", default="", help="where the names of jobs are (default: as for `run`)"
    )
    resume = _command(
        commands, "resume", "pausing.resume", "end a pause", "outhaul resume\n  outhaul resume camera", [state]
    )
    resume.add_argument("job", metavar="JOB", nargs="*", help="only these jobs (default: all)")
    resume.add_argument("--config", metavar="FILE", default="", help="as for `pause`")

    for name, text, example in (
        ("move", "carry a directory away; sources are removed once proved", _MOVE_EXAMPLE),
        ("copy", "carry a directory; sources stay, and unchanged files are not sent again", _COPY_EXAMPLE),
    ):  # fmt: skip
        command = _command(commands, name, f"carry.{name}", text, example, [state, reporting, connection])
        command.add_argument("source", metavar="SOURCE", help="directory with the files")
        command.add_argument("destination", metavar="DESTINATION", help="s3://bucket/prefix, or a directory")
        command.add_argument(
            "--include", metavar="PATTERN", action="append", default=[], help="only files that match; may be repeated"
        )
        command.add_argument(
            "--exclude", metavar="PATTERN", action="append", default=[], help="no files that match; may be repeated"
        )
        command.add_argument(
            "--temporary-names", action="store_true", help="also names that look temporary (*.tmp, *.part, ...)"
        )
        command.add_argument(
            "--quiet-for",
            metavar="TIME",
            default="0s",
            help="only files left alone for so long, such as 30s or 5m (default: 0s; files open for writing always wait)",
        )
        command.add_argument("--marker", metavar="NAME", help="only files that have a marker, such as '{name}.done'")
        command.add_argument("--skip-newest", metavar="N", type=_count, help="not the newest N of each directory")
        command.add_argument(
            "--compress",
            metavar="CODEC",
            help="bzip2, gzip, zstd, xz, lz4, or auto: zstd for what becomes smaller (default: none)",
        )
        command.add_argument("--level", metavar="N", type=_count, help="how hard the codec tries")
        command.add_argument(
            "--group", metavar="PATTERN", action="append", default=[],
            help="directories whose files go together, as one object; may be repeated",
        )  # fmt: skip
        command.add_argument(
            "--companion", metavar="PATH", action="append", default=[],
            help="a file that belongs to such a directory: '{path}.log'; may be repeated",
        )  # fmt: skip
        command.add_argument(
            "--bundle", metavar="SIZE", help="many small files become one object of about this size: 16MiB"
        )
        command.add_argument(
            "--bundle-file-max", metavar="SIZE", help="a larger file goes alone (a 16th of the bundle)"
        )
        command.add_argument(
            "--bundle-wait", metavar="TIME", help="how long a file may wait for others: 10m (not at all)"
        )
        if name == "move":
            command.add_argument("--archive", metavar="DIR", help="move proved files there, and remove none")
            command.add_argument(
                "--archive-keep", metavar="TIME", help="remove them from there after so long, such as 30d"
            )
        command.add_argument(
            "--remove-empty", metavar="TIME", help="remove directories that have been empty for so long, such as 1d"
        )
        command.add_argument(
            "--proof",
            choices=("auto", "stored", "read-back"),
            default="auto",
            help="evidence to ask of the store (default: the cheapest that comes from stored bytes)",
        )
        command.add_argument(
            "--on-conflict",
            choices=("keep-both", "hold", "replace"),
            default="keep-both",
            help="where other bytes stand under the key of a file (default: keep both, ours under a second key)",
        )
        add_object_options(command)
        command.add_argument("--bandwidth", metavar="RATE", default="", help=_BANDWIDTH)
        add_shard(command)
        command.add_argument("--dry-run", action="store_true", help="say what would be carried, and touch nothing")

    check = _command(
        commands, "check", "check.check", "validate a configuration, try each destination, say what would stop it",
        "outhaul check outhaul.toml\n  outhaul check s3://my-bucket/site-7", [state, reporting, connection],
    )  # fmt: skip
    check.add_argument(
        "config", metavar="CONFIG", nargs="?", help="configuration file, or the address of a destination"
    )

    from outhaul.frontends.cli import setting_up

    setting_up.add(partial(_command, commands), state, connection)

    _command(
        commands,
        "status",
        "show.status",
        "what has been carried, what waits, and why",
        "outhaul status",
        [state, reporting],
    )
    ls = _command(
        commands, "ls", "show.ls", "the receipts: what is where, and how it was proved",
        "outhaul ls '*.csv'\n  outhaul ls --json | jq -r .key", [state, reporting],
    )  # fmt: skip
    ls.add_argument("pattern", metavar="PATTERN", nargs="?", default="", help="only paths that match")
    ls.add_argument("--job", metavar="NAME", default="", help="only this job")
    ls.add_argument("--limit", metavar="N", type=_count, default=0, help="only the latest N")
    ls.add_argument(
        "--given-up", action="store_true", help="instead: files that a full disk made it give up, never carried"
    )
    why = _command(
        commands,
        "why",
        "show.why",
        "why a file is where it is",
        "outhaul why /data/done/reading.csv",
        [state, reporting],
    )
    why.add_argument("file", metavar="FILE", help="path of the file, there or not")

    metrics = _command(
        commands, "metrics", "metrics.metrics", "what `status` tells, for Prometheus",
        "outhaul metrics --output /var/lib/node_exporter/outhaul.prom\n  outhaul metrics --listen 127.0.0.1:9275", [state],
    )  # fmt: skip
    metrics.add_argument("--output", metavar="FILE", default="", help="write them there, for the textfile collector")
    metrics.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default="",
        help="answer GET /metrics and /health there, such as 127.0.0.1:9275",
    )
    metrics.add_argument("--oldest", metavar="TIME", default="", help="with --listen: as `health`, for /health")
    metrics.add_argument("--last-run", metavar="TIME", default="", help="with --listen: the same")
    health = _command(
        commands, "health", "metrics.health", "exit code 0 where all is well, for probes; else 1, and a line that says why",
        "outhaul health --oldest 2h --last-run 30m", [state],
    )  # fmt: skip
    health.add_argument("--oldest", metavar="TIME", default="", help="no file may have waited for longer")
    health.add_argument("--last-run", metavar="TIME", default="", help="no run may have ended longer ago")

    from outhaul.frontends.cli import ways_back, web_options

    ways_back.add(partial(_command, commands), state, reporting, connection, _count)
    web_options.add(partial(_command, commands), [state, connection])

    from outhaul.frontends.cli import fleet_options

    fleet_options.add(partial(_command, commands), reporting, connection)

    service = _command(
        commands, "install-service", "service.install_service", "have outhaul run by itself: systemd, cron or launchd",
        "outhaul install-service /etc/outhaul/outhaul.toml\n  outhaul install-service --kind cron --every 10m",
        [state, connection],
    )  # fmt: skip
    service.add_argument("config", metavar="CONFIG", nargs="?", help="configuration file, as for `run`")
    service.add_argument(
        "--kind", choices=("systemd", "timer", "cron", "launchd"), default="systemd",
        help="`watch` as a systemd service (default), `run` by a systemd timer, a crontab line, a launchd job",
    )  # fmt: skip
    service.add_argument(
        "--user",
        metavar="NAME",
        default="",
        help="who runs it (default: the owner of the sources; of several, outhaul where there is such a user, else root)",
    )
    service.add_argument("--every", metavar="TIME", default="10m", help="how often, with timer and cron (default: 10m)")
    service.add_argument(
        "--to", metavar="DIR", default="", help="where units are written (default: /etc/systemd/system)"
    )
    service.add_argument("--print", action="store_true", help="print them, and write nothing")

    translate = _command(
        commands, "translate", "translate.translate", "print the configuration of an older program in outhaul's own form",
        "outhaul translate config.yaml > outhaul.toml", [],
    )  # fmt: skip
    translate.add_argument("config", metavar="CONFIG", help="the configuration of the older program")

    demo = _command(
        commands, "demo", "demo.demo", "the whole journey on an embedded store, in seconds", "outhaul demo", []
    )
    demo.add_argument("--files", metavar="N", type=_count, default=300, help="how many files (default: 300)")
    completion = _command(
        commands, "completion", "completion.completion", "print the completion script of a shell",
        "outhaul completion bash > ~/.local/share/bash-completion/completions/outhaul", [],
    )  # fmt: skip
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def _command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    where: str,
    text: str,
    example: str,
    parents: list[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    module, function = where.split(".")
    command = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ("" if text.endswith("?") else "."),
        epilog=f"example:\n  {example}",
        parents=parents,  # type: ignore[arg-type]  # Nothing is parsed with these.
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(module=f"outhaul.frontends.cli.{module}", function=function)
    return command


def _state_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--state",
        metavar="DIR",
        default="",
        help="ledger and private files (default: /var/lib/outhaul for root, else ~/.local/state/outhaul)",
    )
    return options


def _reporting_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
    options.add_argument("-q", "--quiet", action="store_true", help="say nothing unless something is held or fails")
    options.add_argument("-v", "--verbose", action="store_true", help="name every file")
    return options


def _add_log_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--log-file", metavar="FILE", default="", help="log there, and not on standard error")
    command.add_argument("--log-format", choices=("text", "json"), default="", help="lines with a time, or JSON lines")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number; write one such as 300")
    return int(text)
