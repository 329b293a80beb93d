"""`outhaul install-service`: units that systemd itself accepts, and gives a low exposure."""

from __future__ import annotations

import os
import plistlib
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.program import Program, Ran
from outhaul.frontends.cli import service_files
from outhaul.frontends.cli.service_files import Service
from outhaul.model.job import Destination, Job

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


@pytest.mark.parametrize(
    ("program", "config", "shared"),
    [
        ("/usr/bin/outhaul", "/etc/o.toml", "yes"),
        ("/tmp/o/bin/outhaul", "/etc/o.toml", "no"),
        ("/o", "/tmp/o.toml", "no"),
    ],
)
def test_tmp_is_its_own_where_nothing_that_it_needs_is_there(program: str, config: str, shared: str) -> None:
    """Else it would not start."""
    found = in_use(service_files.daemon(Service(program, config, "", "pi", jobs("/srv/a"))))
    assert found["PrivateTmp"] == [shared]


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
@pytest.mark.parametrize(("user", "exposure"), [("daemon", 20), ("root", 22)])
def test_systemd_accepts_it_and_finds_little_exposed(
    service: Program, kind: str, user: str, exposure: int, tmp_path: Path
) -> None:
    """`verify` says nothing; the exposure is at most 2.0; for root 2.2 where, as here, its files are in /tmp."""
    units = tmp_path / "units"
    units.mkdir()
    assert install(service, "--kind", kind, "--to", str(units), "--user", user).code == 0
    for unit in sorted(units.iterdir()):
        verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
        assert (verified.returncode, verified.stderr) == (0, "")
    (unit,) = units.glob("*.service")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={exposure}", str(unit)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask what others may")
def test_whoever_cannot_run_it_is_told(service: Program, tmp_path: Path) -> None:
    """The service would not start: the program, or the configuration, is for somebody else alone."""
    config = service.home / "outhaul.toml"
    config.chmod(0o600)
    refused = f"outhaul: daemon may not read {config}: the service will not start"
    assert refused in install(service, "--print", "--user", "daemon").err
    assert "may not" not in install(service, "--print", "--user", "root").err


def jobs(*sources: str) -> list[Job]:
    """One for each source."""
    return [
        Job(f"job-{number}", source, Destination("s3://bucket/site", "s3", "bucket", "site"))
        for number, source in enumerate(sources)
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("make", [service_files.daemon, service_files.oneshot])
@pytest.mark.parametrize(
    "service",
    [
        Service("/usr/bin/outhaul", "/etc/outhaul/outhaul.toml", "", "pi", jobs("/home/pi/data")),
        Service("/usr/bin/outhaul", "/etc/outhaul/outhaul.toml", "", "outhaul", jobs("/home/pi/data", "/srv/b"), True),
        Service("/usr/bin/outhaul", "/etc/outhaul/outhaul.toml", "", "root", jobs("/var/log/app", "/home/pi/b"), True),
    ],
    ids=["owner of the sources", "a user of its own", "root"],
)
def test_each_way_is_at_most_two(make: Callable[[Service], str], service: Service, tmp_path: Path) -> None:
    """As systemd-analyze reckons, for whoever it is run by."""
    unit = tmp_path / "outhaul.service"
    unit.write_text(make(service))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_capabilities_are_for_files_of_others_alone() -> None:
    """Its owner needs none; a user of its own is given three; root keeps no more than these."""
    three = ["CAP_DAC_OVERRIDE CAP_FOWNER CAP_LEASE"]
    rows = [("pi", False, [""], [""]), ("outhaul", True, three, three), ("root", True, three, [""])]
    for user, of_others, bounding, ambient in rows:
        found = in_use(service_files.daemon(Service("/o", "/c", "", user, jobs("/srv/a"), of_others)))
        assert (found["CapabilityBoundingSet"], found["AmbientCapabilities"]) == (bounding, ambient)


def test_root_sees_of_homes_what_is_needed_there() -> None:
    """Its credentials, what it reads and what it writes to; each once, and the rest is hidden. Its owner sees its home."""
    sources = ["/srv/a", "/home/pi/b:c", "/home/pi/d e"]
    root = Service("/o", "/c", "/root/state", "root", jobs(*sources), at_home=["/home/pi/venv", "/home/pi/d e/conf"])
    found = in_use(service_files.daemon(root))
    assert (found["ProtectHome"], found["ReadWritePaths"]) == (["tmpfs"], ["/srv/a"])
    assert found["BindReadOnlyPaths"] == ["-%h/.aws", "/home/pi/venv"]
    assert found["BindPaths"] == ['"/home/pi/b:c"', '"/home/pi/d e"', "/root/state"]
    found = in_use(service_files.daemon(root._replace(user="pi")))
    assert (found["ProtectHome"], "BindPaths" in found, "BindReadOnlyPaths" in found) == (["read-only"], False, False)


def test_a_user_that_is_not_there_is_told(service: Program) -> None:
    """With the command that makes it."""
    said = install(service, "--print", "--user", "no-such-user")
    assert "there is no user no-such-user yet: useradd --system --home-dir /var/lib/outhaul no-such-user" in said.err


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become somebody else")
def test_three_capabilities_are_enough(outhaul: Program) -> None:
    """A user of its own carries files of root from a directory that only root may enter, and sees who writes to one of them."""
    outhaul.write("done.csv")
    outhaul.source.chmod(0o700)
    outhaul.home.chmod(0o755)
    outhaul.state.mkdir(0o700)
    shutil.chown(outhaul.state, "daemon")
    three = "+dac_override,+fowner,+lease"
    command = ["setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", "--no-new-privs", f"--inh-caps={three}"]
    command += [f"--ambient-caps={three}", f"--bounding-set=-all,{three}", sys.executable, "-m", "outhaul", "move"]
    command += [str(outhaul.source), str(outhaul.target), "--state", str(outhaul.state)]
    with open(outhaul.write("open.csv"), "ab"):
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=outhaul.environment, check=False)
    assert (done.returncode, sorted(outhaul.stored())) == (0, ["done.csv"]), done.stderr
    assert "waiting  open.csv: open for writing by another process\n" in done.stderr
    assert os.listdir(outhaul.source) == ["open.csv"]


def test_a_service_may_write_its_log_and_its_metrics() -> None:
    """Into their directories, and nowhere else."""
    service = Service(
        "/bin/outhaul", "/etc/x.toml", "/s", "pi", [], files=("/var/log/outhaul/x.log", "", "/var/lib/x.prom")
    )
    assert service_files.written_by(service) == ["/s", "/var/lib", "/var/log/outhaul"]
