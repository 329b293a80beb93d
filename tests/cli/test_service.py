"""`outhaul install-service`: units that systemd itself accepts, and gives a low exposure."""

from __future__ import annotations

import os
import plistlib
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.program import Program, Ran
from outhaul.frontends.cli import service_files
from outhaul.frontends.cli.service_files import Service

CONFIG = """
[[job]]
name = "a"
source = "source"
to = "s3://bucket/x"
after = { archive = "arch ive%$", keep = "1d" }

[[job]]
name = "b"
source = "other"
to = "target"
"""


@pytest.fixture
def service(outhaul: Program) -> Program:
    """Two jobs, whose sources belong to one user."""
    (outhaul.home / "other").mkdir()
    (outhaul.home / "outhaul.toml").write_text(CONFIG)
    return outhaul


def install(outhaul: Program, *options: str) -> Ran:
    """Run it."""
    return outhaul("install-service", "outhaul.toml", *options)


def in_use(text: str) -> dict[str, list[str]]:
    """The directives of a unit."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_it_may_write_where_its_jobs_do(service: Program) -> None:
    """Sources, archives, directories that files go to, its state; and nowhere else."""
    said = install(service, "--print", "--state", str(service.state))
    found, home = in_use(said.out), service.home
    archive = f'"{home}/arch ive%%$"'
    assert sorted(found["ReadWritePaths"]) == sorted(
        [archive, *(f"{home}/{x}" for x in ("source", "other", "target", "state"))]
    )
    assert (found["ProtectSystem"], found["Type"], found["WatchdogSec"]) == (["strict"], ["notify"], ["300"])
    assert found["ExecStart"][0].endswith(f" watch {home}/outhaul.toml --state {service.state}")
    assert found["User"] == [pwd.getpwuid(os.getuid()).pw_name]
    assert "StateDirectory" not in found


def test_a_path_that_would_be_another_line_is_refused(service: Program) -> None:
    """It could name another user; one that is not there yet is told."""
    said = install(service, "--print", "--state", str(service.state))
    assert f"{service.home}/target is not there yet: make it, or the service will not start" in said.err
    (service.home / "new\nUser=root").mkdir()
    (service.home / "outhaul.toml").write_text(CONFIG.replace('source = "other"', 'source = "new\\nUser=root"'))
    said = install(service, "--print")
    assert (said.code, said.out, "a unit can name no path with control characters" in said.err) == (2, "", True)


def test_files_are_written_once(service: Program) -> None:
    """The same again is well; over one that says something else nothing is written."""
    units = service.home / "units"
    units.mkdir()
    for _ in range(2):
        said = install(service, "--kind", "timer", "--every", "15m", "--to", str(units))
        assert (said.code, sorted(os.listdir(units))) == (0, ["outhaul-run.service", "outhaul-run.timer"])
    assert "systemctl enable --now outhaul-run.timer" in said.err
    assert in_use((units / "outhaul-run.timer").read_text())["OnUnitInactiveSec"] == ["900"]
    (units / "outhaul-run.timer").write_text("mine")
    said = install(service, "--kind", "timer", "--to", str(units))
    assert (said.code, "is there, and says something else" in said.err) == (2, True)
    assert (units / "outhaul-run.timer").read_text() == "mine"


def test_a_crontab_line_and_a_property_list(service: Program) -> None:
    """Each as its reader reads it."""
    line = install(service, "--kind", "cron", "--every", "10m", "--state", str(service.home / "a b%c")).out
    assert line.startswith("*/10 * * * * /")
    assert line.endswith(f"run -q {service.home}/outhaul.toml --state '{service.home}/a b\\%c'\n")
    told = plistlib.loads(install(service, "--kind", "launchd").out.encode())
    assert told["ProgramArguments"][1:] == ["watch", f"{service.home}/outhaul.toml"]


@pytest.mark.parametrize("every", ["59s", "2d", "often"])
def test_how_often_is_said_so_that_it_can_be(service: Program, every: str) -> None:
    """From a minute to a day."""
    assert install(service, "--kind", "cron", "--every", every).code == 2


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("kind", ["systemd", "timer"])
@pytest.mark.parametrize(("user", "exposure"), [("daemon", 20), ("root", 23)])
def test_systemd_accepts_it_and_finds_little_exposed(
    service: Program, kind: str, user: str, exposure: int, tmp_path: Path
) -> None:
    """`verify` says nothing, and the exposure that it reckons is at most 2.0; 2.1 for root. Sources in /tmp are 0.2 more."""
    units = tmp_path / "units"
    units.mkdir()
    assert install(service, "--kind", kind, "--to", str(units), "--user", user).code == 0
    for unit in sorted(units.iterdir()):
        verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
        assert (verified.returncode, verified.stderr) == (0, "")
    (unit,) = units.glob("*.service")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={exposure}", str(unit)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_service_may_write_its_log_and_its_metrics() -> None:
    """Into their directories, and nowhere else."""
    service = Service("/bin/outhaul", "/etc/x.toml", "/s", "pi", [], ("/var/log/outhaul/x.log", "", "/var/lib/x.prom"))
    assert service_files.written_by(service) == ["/s", "/var/lib", "/var/log/outhaul"]
