"""The units of `install-service`, run by systemd itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.booted import Booted, machine
from docs.pages import ROOT
from servers.start import Unavailable, rclone

EXPOSURE = 22 if str(ROOT).startswith("/tmp/") else 20
"""Tenths: with a program in /tmp that has to be shared."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def booted(tmp_path: Path) -> Iterator[Booted]:
    """Where a systemd can be booted."""
    with machine(tmp_path) as made:
        if made is None:
            pytest.skip("no systemd can be booted here: that needs root, systemd-nspawn and overlay file systems")
        yield made


def said(printed: str) -> dict[str, str]:
    """What the script has told, as NAME=VALUE; the last of a name."""
    return dict(re.findall(r"^([A-Za-z-]+)=(.*)$", printed, re.MULTILINE))


def test_a_daemon_of_the_owner(booted: Booted) -> None:
    """It is ready when it says so, carries to an S3 store, refuses a wrong reload and lives on, and ends within ten seconds."""
    try:
        with rclone() as server:
            with server.client() as client:
                client.create_bucket("bucket")
            environment = "\n".join(f"{key}={value}" for key, value in server.environ().items())
            printed = booted.run(f"""
useradd -m pi
mkdir -p /home/pi/data /etc/outhaul
chown pi: /home/pi/data
cat > /etc/outhaul/environment <<'END'
{environment}
END
cat > /etc/outhaul/outhaul.toml <<'END'
[[job]]
name = "logger"
source = "/home/pi/data"
to = "s3://bucket/logger"
settle = {{ quiet = "1s" }}
endpoint-url = "{server.endpoint_url}"
END
outhaul install-service /etc/outhaul/outhaul.toml
systemctl daemon-reload
systemctl start outhaul
echo started=$(systemctl is-active outhaul)
su pi -c 'echo hello > /home/pi/data/a.csv'
for i in $(seq 100); do [ -e /home/pi/data/a.csv ] || break; sleep 0.1; done
echo left=$(ls /home/pi/data)
echo 'nonsense = 1' >> /etc/outhaul/outhaul.toml
systemctl reload outhaul
sleep 1
echo after-wrong=$(systemctl is-active outhaul)
systemctl show outhaul -p StatusText -p User -p NRestarts
systemd-analyze security outhaul --no-pager --threshold={EXPOSURE} > /dev/null && echo exposure=low
before=$(date +%s)
systemctl stop outhaul
echo seconds=$(( $(date +%s) - before ))
systemctl show outhaul -p Result -p ActiveState
journalctl -u outhaul --no-pager -o cat
""")
            found = said(printed)
            assert (found["started"], found["left"], found["User"]) == ("active", "", "pi")
            assert (found["after-wrong"], found["NRestarts"], found["exposure"]) == ("active", "0", "low")
            assert found["StatusText"] == "logger: 0 files waiting"
            assert (found["Result"], found["ActiveState"], int(found["seconds"]) <= 10) == ("success", "inactive", True)
            assert "logger: 1 file carried (6 B)" in printed
            assert "the new configuration is wrong; the one before still holds" in printed
            with server.client() as client:
                assert client.get("bucket", "logger/a.csv") == b"hello\n"
    except Unavailable as missing:
        pytest.skip(str(missing))


HOMES = """
useradd -m pi
useradd -m ann
useradd --system --home-dir /var/lib/outhaul outhaul
mkdir -p '/home/pi/da:ta x' /home/pi/up /home/pi/letters /home/ann/in /srv/b CONF
chown pi: '/home/pi/da:ta x' /home/pi/up
chown ann: /home/ann/in
chmod 1777 /srv/b /home/pi/up
chmod 711 /home/pi /home/ann
cat > CONF/outhaul.toml <<'END'
[[job]]
name = "a"
source = "/home/pi/da:ta x"
to = "/home/pi/up"
settle = { quiet = "1s" }
[[job]]
name = "b"
source = "/home/ann/in"
to = "/srv/b"
settle = { quiet = "1s" }
END
su pi -c 'echo hello > "/home/pi/da:ta x/a.csv"'
su ann -c 'echo hello > /home/ann/in/b.csv'
"""
CARRIED = """
for i in $(seq 100); do [ -e '/home/pi/da:ta x/a.csv' ] || [ -e /home/ann/in/b.csv ] || break; sleep 0.1; done
echo left=$(ls '/home/pi/da:ta x' /home/ann/in | grep csv)
echo carried=$(ls /home/pi/up /srv/b | grep csv)
"""


def test_root_in_the_homes_of_others(booted: Booted) -> None:
    """It sees of homes what its jobs have there, with an exposure of 2.0; one that hangs is ended and started again."""
    printed = booted.run(f"""
{HOMES.replace("CONF", "/root/conf")}
outhaul install-service /root/conf/outhaul.toml --user root
mkdir /etc/systemd/system/outhaul.service.d
printf '[Service]\\nWatchdogSec=2\\nRestartSec=1\\n' > /etc/systemd/system/outhaul.service.d/soon.conf
systemctl daemon-reload
systemctl start outhaul
systemd-analyze security outhaul --no-pager --threshold={EXPOSURE} > /dev/null && echo exposure=low
{CARRIED}
pid=$(systemctl show outhaul -p MainPID --value)
echo seen=$(ls /proc/$pid/root/home/pi)
for path in /root/conf /srv /home/pi/up; do
  if nsenter -t $pid -m touch $path/touched 2>/dev/null; then echo may-write=$path; fi
done
sleep 3
echo restarts-while-well=$(systemctl show outhaul -p NRestarts --value)
kill -STOP $pid
for i in $(seq 100); do [ "$(systemctl show outhaul -p NRestarts --value)" = 1 ] && break; sleep 0.1; done
sleep 1
echo again=$(systemctl is-active outhaul)
systemctl stop outhaul
""")
    found = said(printed)
    assert (found["exposure"], found["left"], found["carried"]) == ("low", "", "a.csv b.csv")
    assert (found["seen"], found["may-write"]) == ("da:ta x up", "/home/pi/up")
    assert (found["restarts-while-well"], found["again"]) == ("0", "active")


def test_a_timer_of_a_user_of_its_own(booted: Booted) -> None:
    """With three capabilities it takes away the files of others, and root has nothing to do with it."""
    printed = booted.run(f"""
{HOMES.replace("CONF", "/etc/outhaul")}
outhaul install-service /etc/outhaul/outhaul.toml --kind timer --user outhaul
systemctl daemon-reload
systemctl enable --now outhaul-run.timer
echo timer=$(systemctl is-active outhaul-run.timer)
systemctl start outhaul-run
sleep 1.1
systemctl start outhaul-run
{CARRIED}
echo owner=$(stat -c %U /srv/b/b.csv)
systemctl show outhaul-run -p Result
systemd-analyze security outhaul-run --no-pager --threshold={EXPOSURE} > /dev/null && echo exposure=low
""")
    found = said(printed)
    assert (found["timer"], found["left"], found["carried"]) == ("active", "", "a.csv b.csv")
    assert (found["owner"], found["Result"], found["exposure"]) == ("outhaul", "success", "low")
