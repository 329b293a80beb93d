"""The texts of units for systemd, of a crontab line and of a launchd job. Pure: nothing of the machine is looked at.

Each unit gives outhaul what its jobs need and nothing else: it may write to sources (files are removed there), archives,
directories that files go to, and its state; it has three capabilities where files are not its user's own, and else none.
Directives: systemd.exec(5), systemd.service(5), systemd.timer(5); launchd.plist(5); crontab(5).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from outhaul.model.job import Job

STOP_SECONDS, WATCHDOG_SECONDS, RESTART_SECONDS = 60, 300, 30


class Service(NamedTuple):
    """What is to be run, and as whom."""

    program: str
    """Absolute path of the command."""
    config: str
    """Absolute path of the configuration."""
    state: str
    """Absolute path of the state directory; '' for the one that systemd gives a service (/var/lib/outhaul)."""
    user: str
    jobs: Sequence[Job]
    of_others: bool = False
    """Whether files are not the user's own."""
    at_home: Sequence[str] = ()
    """Absolute paths in home directories that it reads: root is shown these, and what it writes to, of all homes."""
    files: Sequence[str] = ()
    """Absolute paths of files that it writes beside: a log, metrics."""


_SANDBOX = """NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome={home}{shown}
PrivateTmp={private_tmp}
PrivateDevices=yes
PrivateMounts=yes
DevicePolicy=closed
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
CapabilityBoundingSet={capabilities}
AmbientCapabilities={ambient}
UMask=0077"""
_FOR_OTHERS = "CAP_DAC_OVERRIDE CAP_FOWNER CAP_LEASE"
"""To remove files of others, to give copies their modes, and to ask the kernel who writes to them (fcntl(2), leases)."""


def daemon(service: Service) -> str:
    """A unit that runs `outhaul watch`."""
    return f"""[Unit]
Description=outhaul carries finished files to object storage
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=notify
ExecStart={_command(service, "watch")}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec={RESTART_SECONDS}
TimeoutStopSec={STOP_SECONDS}
WatchdogSec={WATCHDOG_SECONDS}
{_common(service)}

[Install]
WantedBy=multi-user.target
"""


def oneshot(service: Service) -> str:
    """A unit that runs `outhaul run` once; a timer starts it."""
    return f"""[Unit]
Description=outhaul carries finished files to object storage, once
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=oneshot
ExecStart={_command(service, "run -q")}
TimeoutStopSec={STOP_SECONDS}
{_common(service)}
"""


def timer(seconds: int) -> str:
    """What starts it, this often; a fleet does not start in the same second."""
    return f"""[Unit]
Description=outhaul carries finished files to object storage, every {seconds} s

[Timer]
OnBootSec={min(seconds, 120)}
OnUnitInactiveSec={seconds}
RandomizedDelaySec={max(1, min(seconds // 10, 60))}

[Install]
WantedBy=timers.target
"""


def crontab_line(service: Service, seconds: int) -> str:
    """A line for the crontab of the user; a run that meets another ends at once, with exit code 3."""
    minutes = max(1, seconds // 60)
    when = f"*/{minutes} * * * *" if minutes < 60 else f"0 */{min(minutes // 60, 23)} * * *"
    words = [service.program, "run", "-q", service.config, *(["--state", service.state] if service.state else [])]
    return f"{when} {' '.join(_quoted_for_cron(word) for word in words)}\n"


def launchd(service: Service) -> str:
    """A property list that runs `outhaul watch`."""
    from xml.sax.saxutils import escape

    words = [service.program, "watch", service.config, *(["--state", service.state] if service.state else [])]
    arguments = "\n".join(f"    <string>{escape(word)}</string>" for word in words)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>dev.outhaul.watch</string>
  <key>ProgramArguments</key>
  <array>
{arguments}
  </array>
  <key>UserName</key><string>{escape(service.user)}</string>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>ExitTimeOut</key><integer>{STOP_SECONDS}</integer>
</dict>
</plist>
"""


def _common(service: Service) -> str:
    root = service.user == "root"
    written, shown = written_by(service), ["BindReadOnlyPaths=-%h/.aws"]
    hidden = [path for path in written if root and lies_at_home(path)]
    for path in service.at_home:
        if not any(_is_beneath(path, other) for other in hidden):
            shown.append(f"BindReadOnlyPaths={_quoted(path, in_command=False)}")
    shown += [f"BindPaths={_quoted(path, in_command=False)}" for path in hidden]
    paths = "\n".join(f"ReadWritePaths={_quoted(path, in_command=False)}" for path in written if path not in hidden)
    state = "" if service.state else "StateDirectory=outhaul\nStateDirectoryMode=0700\n"
    needed = (*written, service.program, service.config)
    in_tmp = any(re.match(r"/(?:var/)?tmp(?:/|$)", path) for path in needed)
    capabilities = _FOR_OTHERS if root or service.of_others else ""
    sandbox = _SANDBOX.format(
        private_tmp="no" if in_tmp else "yes", capabilities=capabilities, ambient="" if root else capabilities,
        home="tmpfs" if root else "read-only", shown="\n".join(["", *shown]) if root else "",
    )  # fmt: skip
    return f"""User={service.user}
# AWS_ACCESS_KEY_ID and the like, if they are not in ~/.aws: mode 0600, owned by root.
EnvironmentFile=-/etc/outhaul/environment
{state}{paths}
{sandbox}"""


def written_by(service: Service) -> list[str]:
    """All that is written to; of those that lie in one another, the outer one."""
    found = {service.state} if service.state else set()
    for job in service.jobs:
        found |= {job.source, job.archive, job.destination.directory}
    found |= {path.rpartition("/")[0] or "/" for path in service.files if path}
    found.discard("")
    return [path for path in sorted(found) if not any(_is_beneath(path, other) for other in found - {path})]


def lies_at_home(path: str) -> bool:
    """Whether ProtectHome= hides it (systemd.exec(5))."""
    return any(_is_beneath(path, home) for home in ("/home", "/root", "/run/user"))


def _is_beneath(path: str, other: str) -> bool:
    """Whether it is the other one, or lies in it."""
    return path == other or path.startswith(f"{other.rstrip('/')}/")


def _command(service: Service, words: str) -> str:
    state = service.state or "/var/lib/outhaul"
    return f"{_quoted(service.program)} {words} {_quoted(service.config)} --state {_quoted(state)}"


def _quoted(word: str, *, in_command: bool = True) -> str:
    """A word as systemd.syntax(7) reads it: % stands for itself; and $ in a command (systemd.service(5), "Command lines")."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    plain = plain.replace("$", "$$") if in_command else plain
    return plain if re.fullmatch(r"[\w@%+=,./\-\\$]+", plain) else f'"{plain}"'


def _quoted_for_cron(word: str) -> str:
    """A word for the shell, in a line in which cron takes % for a new line."""
    import shlex

    return shlex.quote(word).replace("%", r"\%")
