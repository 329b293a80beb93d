"""The page outhaul(1), made of the same parser as `--help`: every command and option is in it, because it is read from there.

Written when a wheel is built (`hatch_build.py`), and by `./dev man`. Macros of man(7); nothing is installed here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from outhaul.frontends.cli.main import EXIT_CODES, VERSION

_COMMON_MIN = 4
"""An option that so many commands have is explained once, for all of them."""
_NAME = "carries finished files to object storage, and proves that they arrived"
_PROMISE = (
    "A file is let go only after the store has shown that it holds the same bytes, that proof is on disk, and the kernel "
    "has confirmed that this is the file that was proved and that nobody is writing to it."
)
_FILES = (
    ("~/.config/outhaul/outhaul.toml", "the configuration, where none is named"),
    ("/etc/outhaul/outhaul.toml", "the configuration, where that is not there either"),
    ("~/.local/state/outhaul, /var/lib/outhaul", "ledger and private files of a user, and of root; see --state"),
    ("/etc/outhaul/environment", "variables of the service that `outhaul install-service` writes; mode 0600"),
    ("~/.aws/config, ~/.aws/credentials", "profiles, as of every AWS program"),
)
_ENVIRONMENT = (
    ("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN", "credentials; else the rest of the AWS chain"),
    ("AWS_REGION, AWS_DEFAULT_REGION", "the region, where neither a job nor --region names one"),
    (
        "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL",
        "the address of a store, where neither a job nor --endpoint-url names one",
    ),
    ("AWS_CA_BUNDLE", "certificates to trust, where neither a job nor --ca-file names any"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "in place of ~/.config and ~/.local/state"),
)
_SEE_ALSO = "cron(8), systemd.service(5), systemd.timer(5), inotify(7), rename(2), fcntl(2)"


def page(parser: argparse.ArgumentParser, date: str) -> str:
    """The page, in roff.

    Args:
        parser: The whole command line.
        date: Of the page: 2026-01-31.
    """
    commands = _commands(parser)
    common = _common(list(commands.values()))
    lines = [f'.TH OUTHAUL 1 {date} "outhaul {VERSION}" "User Commands"', ".SH NAME", f"outhaul \\- {_NAME}"]
    lines += [".SH SYNOPSIS", ".B outhaul", r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]..."]
    lines += [".SH DESCRIPTION", _text(parser.description or ""), ".PP", _text(_PROMISE)]
    lines += [".SH COMMANDS"]
    for name, command in commands.items():
        lines += _command(name, command, common)
    lines += [".SH COMMON OPTIONS", "A command names those of them that it has."]
    for action in common.values():
        lines += _option(action)
    lines += [".PP", "Every command has", r"\fB\-h\fR, \fB\-\-help\fR;", "outhaul itself also", r"\fB\-\-version\fR."]
    lines += [".SH EXIT STATUS", *_tagged(re.findall(r"^ +(\d+) +(.+)$", EXIT_CODES, re.MULTILINE))]
    lines += [".SH FILES", *_tagged(_FILES), ".SH ENVIRONMENT", *_tagged(_ENVIRONMENT)]
    lines += [".SH EXAMPLES", *list(_example(parser.epilog or ""))[1:], ".SH SEE ALSO", _text(_SEE_ALSO)]
    return "\n".join(lines) + "\n"


def today() -> str:
    """The date of what is built: SOURCE_DATE_EPOCH, where that is set (reproducible-builds.org), else that of today."""
    import os
    import time

    return time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())))


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (found,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


def _options(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in command._actions:
        if action.option_strings and action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction):
            yield action


def _common(commands: list[argparse.ArgumentParser]) -> dict[str, argparse.Action]:
    """By what is said of them, those that many commands have."""
    found: dict[str, list[argparse.Action]] = {}
    for command in commands:
        for action in _options(command):
            found.setdefault(_said(action), []).append(action)
    return {said: actions[0] for said, actions in found.items() if len(actions) >= _COMMON_MIN}


def _said(action: argparse.Action) -> str:
    return repr((action.option_strings, action.help))


def _command(name: str, command: argparse.ArgumentParser, common: dict[str, argparse.Action]) -> Iterator[str]:
    arguments = [action for action in command._actions if not action.option_strings]
    shown = [_placed(action) for action in arguments]
    yield f".SS {_quoted(f'outhaul {name}')}"
    yield f"\\fBouthaul {_escaped(name)}\\fR [\\fIOPTION\\fR]... {' '.join(shown)}".rstrip()
    yield ".PP"
    yield _text(command.description or "")
    for action in arguments:
        yield from (".TP", f"\\fI{_escaped(_value(action))}\\fR", _text(_help(action, command)))
    own = [action for action in _options(command) if _said(action) not in common]
    for action in own:
        yield from _option(action)
    if shared := [action.option_strings[-1] for action in _options(command) if _said(action) in common]:
        yield ".PP"
        yield "Common options: " + ", ".join(f"\\fB{_escaped(each)}\\fR" for each in shared) + "."
    yield from _example(command.epilog or "")


def _option(action: argparse.Action) -> Iterator[str]:
    value = "" if action.nargs == 0 else f" \\fI{_escaped(_value(action))}\\fR"
    names = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in action.option_strings)
    yield from (".TP", names + value, _text(_help(action)))


def _help(action: argparse.Action, command: argparse.ArgumentParser | None = None) -> str:
    """As argparse shows it: it has `%(default)s` and the like, and `%%`."""
    return (action.help or "") % {"prog": command.prog if command else "outhaul", **vars(action)}


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()


def _placed(action: argparse.Action) -> str:
    shown = f"\\fI{_escaped(_value(action))}\\fR"
    return {"?": f"[{shown}]", "*": f"[{shown}]...", "+": f"{shown}..."}.get(str(action.nargs), shown)


def _tagged(rows: object) -> Iterator[str]:
    assert isinstance(rows, list | tuple)
    for tag, text in rows:
        yield from (".TP", f"\\fB{_escaped(tag)}\\fR", _text(text))


def _example(epilog: str) -> Iterator[str]:
    """The indented lines that follow `example:`."""
    found = re.match(r"example:\n((?:  .+\n?)+)", epilog)
    if found:
        yield from (".PP", ".EX", *(f"    {_escaped(line.strip())}" for line in found[1].splitlines()), ".EE")


def _text(text: str) -> str:
    """A paragraph; what begins like a macro is none."""
    escaped = _escaped(" ".join(text.split()))
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _escaped(text: str) -> str:
    r"""Characters that roff takes for something else (groff_char(7)); ` and ' would become typographic quotes."""
    special = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha"}
    return "".join(special.get(letter, letter) for letter in text)


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def main() -> None:
    """Print the page."""
    from outhaul.frontends.cli.main import build_parser

    print(page(build_parser(), today()), end="")


if __name__ == "__main__":
    main()
