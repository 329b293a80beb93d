"""A job of one's own, in this process: files, the configuration, and a run that tells those whom it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outhaul import app
from outhaul.config.native import Configured, read
from outhaul.frontends.telling.everyone import Everyone
from outhaul.frontends.telling.log import Log
from outhaul.frontends.telling.log_monitor import RunLog

HOOK = """#!/bin/sh
{ cat; echo; } >> "$0.told"
env | sort > "$0.environment"
"""


class Place:
    """Directories for one job, with a hook that writes down what it is told."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "source").mkdir()
        (home / "target").mkdir()
        self.state = str(home / "state")
        self.hook = home / "hook"
        self.hook.write_text(HOOK)
        self.hook.chmod(0o755)

    def configured(self, top: str = "", job: str = "") -> Configured:
        """The configuration, read."""
        path = self.home / "outhaul.toml"
        head = '[[job]]\nname = "a"\nsource = "source"\nto = "target"\nsettle = { quiet = "0" }\non-conflict = "hold"\n'
        path.write_text(top + "\n" + head + job)
        return read(str(path), state=self.state)

    def run(self, configured: Configured) -> app.RunReport:
        """One run, as the command does it."""
        log = Log()
        with Everyone([RunLog(log)], log, self.state) as everyone:
            everyone.configure(configured.telling)
            report = app.run(configured.jobs, state=self.state, monitor=everyone)
            for one in report.jobs:
                everyone.passed(one.job, one.tally, one.fault, whole=True)
        return report

    def write(self, name: str, *, taken: bool = False) -> None:
        """A file; where its key is taken, it is going to be held."""
        (self.home / "source" / name).write_text("content")
        if taken:
            (self.home / "target" / name).write_text("other bytes")

    def told(self) -> list[dict[str, Any]]:
        """What the hook has been told, oldest first."""
        there = Path(f"{self.hook}.told")
        return [json.loads(line) for line in there.read_text().splitlines()] if there.exists() else []

    def events(self) -> list[tuple[str, str, int]]:
        """Event, job and files of these."""
        return [(one["event"], one["job"], one.get("files", 0)) for one in self.told()]
