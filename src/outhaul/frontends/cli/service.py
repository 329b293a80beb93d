"""`install-service`: have outhaul run by itself, as a daemon or now and then, in a sandbox that fits its jobs."""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

from outhaul.config.telling import Telling
from outhaul.frontends.cli import service_files
from outhaul.frontends.cli.carry import config_path, configured
from outhaul.frontends.cli.service_files import Service
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.keys import printable

_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
UNITS = "/etc/systemd/system"
OWN_USER = "outhaul"


def install_service(options: argparse.Namespace) -> int:
    """Write the files, or print them."""
    said = configured(options)
    user = options.user or _user_for(said.jobs)
    service = Service(
        _program(), os.path.abspath(config_path(options)), os.path.abspath(options.state) if options.state else "",
        user, said.jobs, _owners(said.jobs) - {user} != set(),
        files=(said.telling.log.file, said.telling.metrics.file),
    )  # fmt: skip
    service = service._replace(at_home=_read_at_home(service, said.telling))
    _refuse_odd_paths(service)
    for text in _warnings(service):
        print(printable(f"outhaul: {text}"), file=sys.stderr)
    seconds = _seconds(options.every)
    if options.kind == "cron":
        print(service_files.crontab_line(service, seconds), end="")
        print(
            f"outhaul: put this line into the crontab of {service.user}: crontab -u {service.user} -e", file=sys.stderr
        )
        return 0
    if options.kind == "launchd":
        print(service_files.launchd(service), end="")
        print("outhaul: save this as /Library/LaunchDaemons/dev.outhaul.watch.plist", file=sys.stderr)
        return 0
    if options.kind == "timer":
        files = {
            "outhaul-run.service": service_files.oneshot(service),
            "outhaul-run.timer": service_files.timer(seconds),
        }
    else:
        files = {"outhaul.service": service_files.daemon(service)}
    if options.print:
        for name, text in files.items():
            print(f"# {name}\n{text}", end="")
        return 0
    return _write(files, options.to or UNITS)


def _write(files: dict[str, str], directory: str) -> int:
    """Never over a file that says something else: that may be somebody's own."""
    for name, text in files.items():
        path = os.path.join(directory, name)
        try:
            with open(path, "x", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
        except FileExistsError:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                if file.read() != text:
                    raise ConfigurationError(
                        f"{path} is there, and says something else: remove it, or use --print"
                    ) from None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}; use --print, or --to DIR") from None
        print(printable(path))
    unit = next(reversed(files))
    print(f"outhaul: now: systemctl daemon-reload && systemctl enable --now {unit}", file=sys.stderr)
    return 0


def _refuse_odd_paths(service: Service) -> None:
    """What would be another line of a unit, or no text at all."""
    for path in (service.program, service.config, service.user, *service_files.written_by(service)):
        if _ODD.search(path):
            raise ConfigurationError(
                printable(f"{path}: a unit can name no path with control characters or bytes that are no text")
            )


def _warnings(service: Service) -> Iterator[str]:
    """Why the service would not start as things are."""
    if not _is_user(service.user):
        yield f"there is no user {service.user} yet: useradd --system --home-dir /var/lib/outhaul {service.user}"
    elif os.geteuid() == 0:
        for question, path, answer in (("-x", service.program, "run"), ("-r", service.config, "read")):
            if not _is_allowed(service.user, question, path):
                yield f"{service.user} may not {answer} {path}: the service will not start"
    for path in service_files.written_by(service):
        if not os.path.isdir(path):
            yield f"{path} is not there yet: make it, or the service will not start"


def _seconds(text: str) -> int:
    from outhaul.config.durations import duration_ns

    try:
        seconds = duration_ns(text) // 10**9
    except ValueError as error:
        raise ConfigurationError(f"--every: {error}") from None
    if not 60 <= seconds <= 86_400:
        raise ConfigurationError(f'--every: expected a duration from "1m" to "1d", not "{text}"')
    return seconds


def _program() -> str:
    """The command that was started, or the one beside this Python, or on the path."""
    beside = os.path.join(os.path.dirname(sys.executable), "outhaul")
    started = sys.argv[0] if os.path.basename(sys.argv[0]) == "outhaul" else beside
    found = shutil.which(started) or shutil.which("outhaul")
    if not found:
        raise ConfigurationError("the outhaul command is not on the path: install it where the service can find it")
    return os.path.realpath(found)


def _user_for(jobs: list[Job]) -> str:
    """Who owns the sources. Where they have several owners, the user that a package made for outhaul; else root.

    The kernel tells who writes to a file its owner, root, and whoever has CAP_LEASE (fcntl(2)).
    """
    owners = _owners(jobs)
    if len(owners) == 1 and not (owner := owners.pop()).isdigit():
        return owner
    return OWN_USER if _is_user(OWN_USER) else "root"


def _owners(jobs: list[Job]) -> set[str]:
    """The names of those who own the sources that are there; a number where there is no name."""
    found = set()
    for job in jobs:
        try:
            number = os.stat(job.source).st_uid
        except OSError:
            continue
        try:
            found.add(pwd.getpwuid(number).pw_name)
        except KeyError:
            found.add(str(number))
    return found


def _is_user(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


def _is_allowed(user: str, question: str, path: str) -> bool:
    """Whether that user's test(1) says so of a path, and of what a script names as its interpreter."""
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as script:
        first = script.readline()
        if question == "-x" and first.startswith("#!/") and not _is_allowed(user, "-x", first[2:].split()[0]):
            return False
    entry = pwd.getpwnam(user)
    groups = os.getgrouplist(user, entry.pw_gid)
    asked = subprocess.run(
        ["test", question, path], user=entry.pw_uid, group=entry.pw_gid, extra_groups=groups, cwd="/", check=False
    )
    return asked.returncode == 0


def _read_at_home(service: Service, told: Telling) -> list[str]:
    """What lies in home directories of the program, what it is run by, its configuration, and all that it opens or calls.

    The directories of files, because an editor puts another file in place of one, and of what links lead to, too.
    """
    connections = [job.connection for job in service.jobs]
    files = [service.config, told.log.config, *(path for at in connections for path in (at.ca_file, at.sse_c_key_file))]
    hooks = [hook for hooks in (told.hooks, *told.of_jobs.values()) for hook in hooks.values()]
    files += [service.program, *(word for hook in hooks for word in hook.command if word.startswith("/"))]
    needed = {os.path.dirname(path) for file in files if file for path in (file, os.path.realpath(file))}
    for path in (sys.prefix, sys.base_prefix, *sys.path):
        needed |= {os.path.abspath(path), os.path.realpath(path)} if path else set()
    found = sorted(path for path in needed if service_files.lies_at_home(path) and os.path.isdir(path))
    return [path for path in found if not any(path.startswith(f"{other}/") for other in found)]
