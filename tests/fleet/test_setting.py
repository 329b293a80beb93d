"""Orders that set keys of a device: which, by whose leave, and that nothing else of a configuration is ever touched."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.program import Program
from fleet.test_control import Desk
from outhaul.config import native
from outhaul.config.ordered import _FIELDS, ABOVE, READERS, as_ordered, ordered, setting
from outhaul.fleet.obeying import Obedience
from outhaul.fleet.status import read_status
from outhaul.frontends.cli.main import main
from outhaul.frontends.cli.telling import Voice
from outhaul.model.errors import ConfigurationError
from outhaul.model.fleet import SETTABLE, TEXT_MAX, Malformed
from outhaul.model.keys import printable
from outhaul.model.orders import ALL_JOBS, BYTES_MAX, SETTINGS_MAX, Order, Setting, read_order, told

CONFIG = """
bandwidth = "5MiB/s"
time-zone = "UTC"
[fleet]
to = "meet"
device = "logger-17"
interval = "1s"
{key}
may-set = [{may}]
[[job]]
name = "a"
source = "source"
to = "target"
settle = {{ quiet = "1s" }}
disk = {{ keep-free = "2GiB", shed-below = "1GiB" }}
[[job]]
name = "b.c"
source = "other"
to = "elsewhere"
at = "02:10"
max-bytes-per-day = "5MB"
"""
PUBLIC = f'control-key = "ed25519:{"A" * 43}="'
ALL = ", ".join(f'"{key}"' for key in SETTABLE)


class Device:
    """A configuration in a directory."""

    def __init__(self, home: Path, may: str = ALL) -> None:
        self.path, self.state = home / "outhaul.toml", str(home / "state")
        for name in ("source", "other"):
            (home / name).mkdir(exist_ok=True)
        self.path.write_text(CONFIG.format(key=PUBLIC, may=may))

    @property
    def own(self) -> native.Configured:
        return native.read(str(self.path), state=self.state)

    def ordered(self, *given: Setting) -> native.Configured:
        """What holds while an order does that sets this."""
        return ordered(str(self.path), self.own, given, self.state)

    def refused(self, *given: Setting) -> tuple[str, ...]:
        """Why it does not."""
        with pytest.raises(ConfigurationError) as caught:
            self.ordered(*given)
        return caught.value.problems


@pytest.fixture
def device(tmp_path: Path) -> Device:
    """One that lets everything be set that may be."""
    return Device(tmp_path)


def test_the_list_is_one_of_the_program() -> None:
    """Each key has a reader, and none of them decides what is carried, where to, whether it goes, or how that is proved."""
    assert (set(SETTABLE), True) == (set(READERS), set(ABOVE) < set(SETTABLE))
    never = {
        "name", "source", "to", "key", "include", "exclude", "temporary-names", "settle", "settle.marker", "settle.skip-newest",
        "settle.quiet-for", "compress", "compress.level", "bundle", "group", "after", "empty-directories", "disk", "proof",
        "on-conflict", "object", "via", "hooks", "endpoint-url", "profile", "proxy", "ca-file", "sse-c-key-file", "ledger",
        "fleet", "ping", "log", "metrics", "sentry-dsn", "job", "nice",
    }  # fmt: skip
    assert not never & set(SETTABLE)


def test_what_is_set_takes_the_place_of_what_is_configured(device: Device) -> None:
    """One for a job goes before one for all, in whatever order they come; None leaves a key out; the rest stays as it is."""
    own = device.own
    said = device.ordered(
        Setting("b.c", "every", "20s"), Setting("b.c", "at", None), Setting(ALL_JOBS, "every", "10s"),
        Setting(ALL_JOBS, "max-files", 7), Setting("a", "settle.quiet", "3m"), Setting("", "bandwidth", "1MiB/s"),
    )  # fmt: skip
    a, b = own.jobs
    expected = [
        a._replace(every_ns=10 * 10**9, files_max=7, quiet_ns=180 * 10**9),
        b._replace(every_ns=20 * 10**9, at=(), files_max=7),
    ]
    assert expected == said.jobs
    assert said == own._replace(jobs=expected, bandwidth=said.bandwidth)
    assert (said.bandwidth and said.bandwidth.limit, device.own) == (1 << 20, own)


def test_nothing_is_given_up_while_an_order_delays(device: Device) -> None:
    """Else whoever holds the key could have files removed that were never carried, by carrying slowly until the disk is full."""
    assert [job.shed_below for job in device.own.jobs] == [1 << 30, 0]
    said = as_ordered(device.own)
    assert [job.shed_below for job in said.jobs] == [0, 0]
    assert device.own.jobs == [
        own._replace(shed_below=o.shed_below) for own, o in zip(said.jobs, device.own.jobs, strict=True)
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Setting("a", "source", "/etc"), "a.source: source is not in fleet.may-set here"),
        (Setting("a", "after", "delete"), "after is not in fleet.may-set here"),
        (Setting("", "ledger", "postgresql://x/y"), "ledger is not in fleet.may-set here"),
        (Setting("a", "settle.quiet-for", {"*": "0s"}), "settle.quiet-for is not in fleet.may-set here"),
        (Setting("", "every", "10s"), "every: belongs to a job: write JOB.every, or *.every for every job"),
        (Setting("a", "bandwidth", "1MiB/s"), "a.bandwidth: stands above the jobs: write bandwidth"),
        (Setting("z", "every", "10s"), "z.every: there is no job z here"),
        (Setting("a", "every", 10), 'job "a": every: expected a duration such as "30m", not 10'),
        (Setting("a", "every", ["10s"]), 'job "a": every: expected a duration such as "30m", not an array'),
        (Setting("a", "max-files", True), 'job "a": max-files: expected a number of files from 1 to 1000000000, not true'),
        (Setting("a", "max-files", {}), "not a table"),
        (Setting("a", "order", "by-size"), 'job "a": order: expected "oldest-first" or "newest-first"'),
        (Setting("b.c", "every", "10s"), 'job "b.c": at: does not go with every: both say when; leave one out'),
        (Setting("b.c", "max-bytes-per-month", "1MB"), 'job "b.c": max-bytes-per-month: is less than max-bytes-per-day'),
        (Setting("a", "quiet-hours", "00:00-24:00"), 'job "a": quiet-hours: leaves no minute of the week'),
        (Setting("a", "settle.quiet", "0s"), "a.settle.quiet: an order may make it longer, and no shorter than it is here"),
        (Setting("", "bandwidth", {"limit": "9MiB/s", "what": 1}), "bandwidth.what: unknown key"),
        (Setting("", "time-zone", "../../etc/passwd"), 'time-zone: expected a time zone such as "Europe/Berlin"'),
        (Setting("a", "order", "\x1b[2J\u202e"), r'not "\x1b[2J\u202e"'),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong_here_is_refused(device: Device, given: Setting, expected: str) -> None:
    """With all that came with it, in words that a terminal takes for nothing else."""
    problems = device.refused(Setting("a", "jitter", "5s"), Setting("a", "priority", "low"), given)
    if given.key != "every":
        problems = device.refused(given)
    assert (any(expected in text for text in problems), all(printable(one) == one for one in problems)) == (True, True)


def test_nothing_may_be_set_where_nothing_is_listed(tmp_path: Path) -> None:
    """A device has no list unless its own configuration says so; and what is listed is all."""
    for may in ("", '"jitter"'):
        device = Device(tmp_path, may)
        assert device.refused(Setting("a", "every", "10s")) == ("a.every: every is not in fleet.may-set here",)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12)
    | st.sampled_from(["10s", "1h", "02:10", "* * * * *", "0 0 30 2 *", "1MB", "low", "newest-first", "UTC", "none", "8KiB/s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("limit"), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
JOBS = st.sampled_from(["", "*", "a", "b.c", "z"])
KEYS = st.sampled_from([*SETTABLE, "source", "to", "after", "settle", "disk", "hooks", "name"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds(Setting, JOBS, KEYS, VALUES), max_size=4))
def test_whatever_is_set_only_harmless_fields_change(device: Device, given: list[Setting]) -> None:
    """It is refused in words, or the jobs are those of the device but for when, how much, and in which order."""
    own = device.own
    try:
        said = device.ordered(*given)
    except ConfigurationError:
        return
    assert own == said._replace(
        bandwidth=own.bandwidth, time_zone=own.time_zone,
        jobs=[
            changed._replace(**{field: getattr(job, field) for field in _FIELDS})
            for changed, job in zip(said.jobs, own.jobs, strict=True)
        ],
    )  # fmt: skip
    assert all(changed.quiet_ns >= job.quiet_ns for changed, job in zip(said.jobs, own.jobs, strict=True))


# --- the order itself ---------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A fleet of its own."""
    return Desk(tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        {}, "x", [1], [["a", "every"]], [["a", "every", "10s", 1]], [[1, "every", "10s"]], [["a", 2, "10s"]],
        [["a/b", "every", "10s"]], [["a\n", "every", "10s"]], [["\x1b[2J", "every", "10s"]], [["a", "Every", "10s"]],
        [["a", "every\n", "10s"]], [["a" * 65, "every", "10s"]], [["a", "e" * 41, "10s"]], [["a", "every", 1.5]],
        [["a", "every", [[[[["10s"]]]]]]], [["a", "every", "1s"], ["a", "every", "2s"]],
        [[f"a{number}", "every", "1s"] for number in range(SETTINGS_MAX + 1)],
    ],
)  # fmt: skip
def test_what_sets_in_another_form_is_no_order(desk: Desk, given: Any) -> None:
    """Though it is signed: names of another form, values that no configuration has, too many, and one key twice."""
    payload = json.dumps({**json.loads(told(desk.order(5))), "settings": given}).encode()
    with pytest.raises(Malformed):
        read_order(payload, desk.there.address, "logger-17")


def test_an_order_that_sets_nothing_is_as_before(desk: Desk) -> None:
    """A device with an older outhaul understands it; one that sets something, it refuses as a whole."""
    assert "settings" not in json.loads(told(desk.order(5)))
    order = desk.order(
        5, settings=(Setting("a", "every", "10s"), Setting("", "bandwidth", {"times": [{"limit": "none"}]}))
    )
    assert order == read_order(told(order), desk.there.address, "logger-17")


class Judged(Desk):
    """A desk whose device has a configuration of its own."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.configured = Device(home)

    def judge(self, order: Order) -> str:
        """As a device does."""
        try:
            if order.settings:
                self.configured.ordered(*order.settings)
        except ConfigurationError as error:
            return error.problems[0]
        return ""

    def device(self) -> Obedience:
        return Obedience(self.fleet, str(self.home), self.judge)


def test_an_order_that_is_refused_takes_the_place_of_none(tmp_path: Path) -> None:
    """As a whole: what held, holds; an older one for all that is right comes before it; and it is told over restarts."""
    desk = Judged(tmp_path)
    first = desk.order(5, paused=False, settings=(Setting("a", "every", "10s"),))
    desk.give(first)
    assert first == desk.device().look(desk.meeting)
    wrong = desk.order(7, paused=True, settings=(Setting("a", "every", "10s"), Setting("a", "source", "/etc")))
    desk.give(wrong)
    device = desk.device()
    assert (first, "order 7: a.source: source is not in fleet.may-set here") == (
        device.look(desk.meeting),
        device.refused,
    )
    assert (first, device.refused) == (desk.device().holds(), desk.device().report()["refused"])
    for_all = desk.order(6, device="_all", paused=False)
    desk.give(for_all)
    assert for_all == desk.device().look(desk.meeting)
    desk.give(first)
    device = desk.device()
    assert (for_all, "5 is older than 6" in device.refused) == (device.look(desk.meeting), False)
    back = desk.order(8, paused=False)
    desk.give(back)
    device = desk.device()
    assert (back, "", []) == (device.look(desk.meeting), device.refused, device.report()["set"])
    desk.give(wrong)
    assert back == desk.device().look(desk.meeting)


def test_what_a_device_tells_of_an_order_can_be_read(tmp_path: Path) -> None:
    """However long what it sets is, and whatever stands in it: else a signed order would make a device unreadable."""
    desk = Judged(tmp_path)
    desk.give(desk.order(5, settings=(Setting("a", "every", "\ud800\u202e" * 60), Setting("a", "cron", "* " * 400))))
    device = desk.device()
    assert device.look(desk.meeting) is None
    device.unfit = "x" * 5000
    desk.give(desk.order(6, paused=False, settings=(Setting("", "bandwidth", {"times": [{"limit": "none"}] * 40}),)))
    other = desk.device()
    assert other.look(desk.meeting) is not None
    for report in (device.report(), other.report()):
        from fleet.devices import body

        read = read_status(body("logger-17", control=report), "logger-17")
        assert (len(read.refused) <= TEXT_MAX, all(len(one) <= TEXT_MAX for one in read.sets)) == (True, True)
    assert (read.order, len(read.sets)) == (6, 1)


@pytest.mark.parametrize(
    "changes", [{"rate": 1 << 20}, {"settings": (Setting("a", "every", "10s"),)}, {"paused": True}, {}]
)
def test_what_slows_gives_nothing_up(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A rate as well as what is set; one that leaves all as configured changes nothing at all."""
    desk = Judged(tmp_path)
    desk.give(desk.order(5, **{"paused": False, **changes}))
    assert desk.device().look(desk.meeting)
    voice = Voice(str(tmp_path), lambda: True, lambda _text: None, lambda given: desk.configured.ordered(*given))
    voice.speak_to(desk.fleet)
    own = desk.configured.own
    said = voice.obeyed(own)
    voice.finish()
    assert (not any(job.shed_below for job in said.jobs), said == own) == (bool(changes), not changes)


# --- whoever writes it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("readings.every=10s", Setting("readings", "every", "10s")),
        ("*.max-files=100", Setting("*", "max-files", 100)),
        ("a.b.settle.quiet = 5m", Setting("a.b", "settle.quiet", "5m")),
        ('a.at=["02:10", "14:10"]', Setting("a", "at", ["02:10", "14:10"])),
        ("a.at=02:10", Setting("a", "at", "02:10")),
        ("a.at=02:10:30", Setting("a", "at", "02:10:30")),
        ("a.every=", Setting("a", "every", None)),
        ("bandwidth=2MiB/s", Setting("", "bandwidth", "2MiB/s")),
        ('bandwidth={times=[{limit="none"}]}', Setting("", "bandwidth", {"times": [{"limit": "none"}]})),
        ("time-zone=UTC", Setting("", "time-zone", "UTC")),
        ("a.time-zone=UTC", Setting("a", "time-zone", "UTC")),
    ],
)  # fmt: skip
def test_a_setting_is_written_as_in_a_configuration(text: str, expected: Setting) -> None:
    """Quotes may be left out."""
    assert expected == setting(text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a.source=/etc"], "expected JOB.KEY=VALUE"),
        (["every=10s"], "belongs to a job"),
        (["a.bandwidth=1MiB/s"], "stands above the jobs"),
        (["a/b.every=10s"], "expected 1 to 64 letters"),
        (["a.every=10"], "expected a duration"),
        (["bandwidth={limit=5}"], "bandwidth: limit: expected a limit"),
        (["a.every=10s", "a.every=20s"], "a.every is set twice"),
        ([f"a{number}.every=10s" for number in range(SETTINGS_MAX + 1)], f"no more than {SETTINGS_MAX} keys"),
        ([f"a{number}.cron={','.join(map(str, range(60)))} * * * *" for number in range(30)], f"more than {BYTES_MAX:,} bytes"),
    ],
)  # fmt: skip
def test_what_no_device_would_take_is_told_at_the_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    """Before it is signed; nothing is written."""
    monkeypatch.chdir(tmp_path)
    Desk(tmp_path)
    given = [part for word in words for part in ("--set", word)]
    code = main(["fleet", "control", "meet", "--key", "fleet.key", "--all", *given])
    assert (code, expected in capsys.readouterr().err, (tmp_path / "meet").exists()) == (2, True, False)


# --- the whole way ------------------------------------------------------------------------------------------------

PLAIN = """
[fleet]
to = "meet"
device = "logger-17"
interval = "1s"
{key}
may-set = [{may}]
[[job]]
name = "a"
source = "source"
to = "target"
settle = {{ quiet = "0s" }}
max-files = 1
"""


@pytest.mark.slow
def test_a_run_does_as_it_is_told_and_goes_back(outhaul: Program) -> None:
    """`check`, `status` and `fleet` say what is set, and by which order; who takes the key from the list has it as it was."""
    key = outhaul("fleet", "keygen", "fleet.key").out
    config = outhaul.home / "outhaul.toml"
    config.write_text(PLAIN.format(key=key, may='"max-files"'))
    control = ("fleet", "control", "meet", "--key", "fleet.key", "--all")
    run = ("run", "outhaul.toml", "--state", str(outhaul.state))
    number = outhaul(*control, "--set", "a.max-files=3").out.split()[1]
    outhaul(*run)
    for name in "abcdefgh":
        outhaul.write(name)
    said = f"order {number} of the fleet"
    assert (said in outhaul(*run).err, len(outhaul.stored())) == (True, 3)
    status = ("status", "--state", str(outhaul.state))
    check = ("check", "outhaul.toml", "--state", str(outhaul.state))
    assert [
        said in outhaul(*status).out, said in outhaul(*check).out, "a.max-files = 3" in outhaul(*check).out,
        f"well; order {number}: a.max-files = 3" in outhaul("fleet", "meet").out,
    ] == [True] * 4  # fmt: skip
    assert [("order", int(number), ["a.max-files = 3"])] == [
        (event["event"], event["sequence"], event["set"])
        for event in outhaul(*status, "--json").events
        if "set" in event
    ]
    time.sleep(1)
    refused = outhaul(*control, "--set", "a.every=10s").out.split()[1]
    outhaul(*run)
    assert (6, 1, f"refuses order {refused}: a.every: every is not in fleet.may-set here") == (
        len(outhaul.stored()), outhaul("fleet", "meet", "-q").code,
        outhaul("fleet", "meet", "--json").events[0]["troubles"][0],
    )  # fmt: skip
    assert f"refused: order {refused}" in outhaul(*check).out
    config.write_text(PLAIN.format(key=key, may=""))
    switched_off = outhaul(*run)
    assert (
        len(outhaul.stored()), f"refused: order {number}: a.max-files" in switched_off.err, switched_off.code,
    ) == (7, True, 0)  # fmt: skip
    config.write_text(PLAIN.format(key="", may='"max-files"'))
    outhaul(*run)
    assert (len(outhaul.stored()), "order" in outhaul(*status).out) == (8, False)


@pytest.mark.slow
def test_a_daemon_is_set_otherwise_while_it_runs(outhaul: Program) -> None:
    """By the way of a configuration that is read anew; after a restart it holds; the next order takes it back."""
    key = outhaul("fleet", "keygen", "fleet.key").out
    quiet = PLAIN.replace("max-files = 1", "").replace('"0s"', '"1s"')
    (outhaul.home / "outhaul.toml").write_text(quiet.format(key=key, may='"settle.quiet"'))
    control = ("fleet", "control", "meet", "--key", "fleet.key", "--device", "logger-17")
    log = outhaul.home / "log"

    def watching(text: str) -> subprocess.Popen[bytes]:
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", str(outhaul.state)],
                cwd=outhaul.home, env=outhaul.environment, stderr=file,
            )  # fmt: skip
        _until(lambda: text in log.read_text())
        return process

    outhaul(*control, "--set", "a.settle.quiet=1h")
    process = watching('a.settle.quiet = "1h"')
    try:
        _until(lambda: "read anew" in log.read_text())
        outhaul.write("a.csv")
        time.sleep(3)
        assert outhaul.stored() == {}
    finally:
        process.terminate()
        process.wait(timeout=30)
    process = watching('a.settle.quiet = "1h"')
    try:
        time.sleep(2)
        assert outhaul.stored() == {}
        outhaul(*control, "--set", "a.settle.quiet=0s")
        _until(lambda: "no shorter than it is here" in log.read_text())
        outhaul(*control, "--resume")
        _until(lambda: bool(outhaul.stored()))
    finally:
        process.terminate()
        process.wait(timeout=30)


def _until(true: Any) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
