"""A better archive takes the first place of its month; the one before is kept, whatever happens in between."""

import pytest

from kingfisher.world import OCTOBER, SEPTEMBER, World, complete_pairs, files_of
from outhaul.kingfisher.collection import Collection
from outhaul.kingfisher.months import Months
from outhaul.model.errors import Conflict, StoreError
from outhaul.ports import Held
from outhaul.stores.s3_copying import S3Copying
from outhaul.wiring import open_copying
from servers.server import Server

pytestmark = pytest.mark.slow

FIRST = "scotland/2020/09/data.tar.lz4"
OLD, NEW = {"a.json": b"old" * 1000}, {"a.json": b"new" * 2000, "b.json": b"b"}
EARLIER, LATER = SEPTEMBER.replace(day=1), SEPTEMBER
STEPS = 18


class Killed(BaseException):
    """The process ends here."""


def contents(world: World) -> list[bytes]:
    """What a.json is in each complete archive of the month."""
    objects = world.objects()
    tars = [key.replace("metadata", "data").replace(".json", ".tar.lz4") for key in complete_pairs(objects)]
    return sorted(body for key in tars for path, body in files_of(objects[key]).items() if path.endswith("a.json"))


def with_an_archive(world: World) -> None:
    """An archive of the month is there."""
    world.collection(1, OLD, at=EARLIER)
    world.run()
    assert [OLD["a.json"]] == contents(world)


def test_the_older_archive_is_kept(world: World) -> None:
    """Data, metadata and log of the older one are under second keys; the better one has the first."""
    with_an_archive(world)
    world.collection(2, NEW)
    ran = world()
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.count("takes the place of what is now scotland/2020/09/") == 4
    assert sorted([OLD["a.json"], NEW["a.json"]]) == contents(world)
    assert NEW["a.json"] in files_of(world.objects()[FIRST]).values()
    assert world.metadata()["database_id"] == 2
    names = sorted(key.rpartition("/")[2].partition("~")[0] for key in world.objects() if "~" in key)
    assert names == ["data", "metadata", "scrapy"]


def _killed_at(world: World, number: int) -> str:
    """Run until the step of this number, counted from 0; the step, or '' where there are fewer."""
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) > number:
            raise Killed

    try:
        world.run(step)
    except Killed:
        return steps[-1]
    return ""


def _is_gone_on_with(world: World, number: int) -> str:
    with_an_archive(world)
    directory = world.collection(2, NEW)
    step = _killed_at(world, number)
    assert OLD["a.json"] in contents(world), step
    assert directory.exists() or NEW["a.json"] in contents(world), step
    assert not world.run().failed, step
    assert sorted([OLD["a.json"], NEW["a.json"]]) == contents(world), step
    assert NEW["a.json"] in files_of(world.objects()[FIRST]).values(), step
    assert not directory.exists(), step
    assert (world.decisions()[2][0], world.decisions()[2][2]) == ("ARCHIVED", False), step
    return step


@pytest.mark.slow
@pytest.mark.parametrize("number", [4, 9, 11, 15])
def test_a_run_that_dies_is_gone_on_with(world: World, number: int) -> None:
    """Some of the steps; the next test has all."""
    assert _is_gone_on_with(world, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(STEPS))
def test_a_run_that_dies_anywhere_is_gone_on_with(any_world: World, number: int) -> None:
    """At every moment there is a complete archive of the month; the next run ends what was begun (L1, L2)."""
    step = _is_gone_on_with(any_world, number)
    assert step
    assert (step == "let gone") == (number == STEPS - 1)


@pytest.mark.slow
def test_both_come_back(world: World) -> None:
    """By the ledger, and from the bucket alone, where the older one is under its second keys; the audit agrees."""
    with_an_archive(world)
    world.collection(2, NEW)
    world.run()
    expected = {
        "20200901_052453/a.json": OLD["a.json"],
        **{f"20200902_052453/{name}": body for name, body in NEW.items()},
    }
    for name, words in {
        "ledger": ["data/scotland", "--state", str(world.state)],
        "bucket": [f"s3://{world.bucket}/scotland/2020/09/", "--state", str(world.home / "none")],
    }.items():
        assert world.outhaul("restore", *words, "--to", str(world.home / name)) == 0
        top = world.home / name / "data/scotland"
        assert expected == {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    assert world.outhaul("audit", "--all", "--state", str(world.state)) == 0


@pytest.mark.slow
def test_a_copy_that_is_not_the_same_removes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that copies wrongly is found out by reading: everything stays."""
    with_an_archive(world)
    before = world.objects()
    directory = world.collection(2, NEW)
    monkeypatch.setattr(S3Copying, "copy", lambda _self, _key, to, held: world.put(to, b"x" * held.length))
    assert world.run().failed == 1
    after = world.objects()
    assert before == {key: body for key, body in after.items() if key in before}
    assert directory.exists()


@pytest.mark.slow
def test_an_orphan_is_not_lost(world: World) -> None:
    """Data of somebody else without metadata is in the way: it is kept under a second key."""
    world.put(FIRST, b"somebody's")
    world.put("scotland/2020/09/scrapy.log", b"somebody's log")
    world.collection(2, NEW)
    assert not world.run().failed
    assert [NEW["a.json"]] == contents(world)
    assert {b"somebody's", b"somebody's log"} <= set(world.objects().values())


@pytest.mark.slow
def test_what_has_had_to_make_room_is_brought_back(world: World) -> None:
    """Data that was proved, and has been moved before its metadata came, is copied to the first place again."""
    directory = world.collection(2, NEW)
    assert _killed_at(world, 1) == "carry scrapy.log"
    collection = Collection(2, "scotland", LATER)
    moved = Months(open_copying(world.bucket)).make_room(collection)
    assert moved
    assert not world.run().failed
    assert [NEW["a.json"]] == contents(world)
    assert not directory.exists()


@pytest.mark.slow
def test_what_was_proved_and_is_nowhere_releases_nothing(world: World) -> None:
    """Somebody has removed the data before its metadata came: that is told, and the files stay."""
    directory = world.collection(2, NEW)
    assert _killed_at(world, 1) == "carry scrapy.log"
    open_copying(world.bucket).remove(FIRST)
    assert world.run().failed == 1
    assert directory.exists()
    assert complete_pairs(world.objects()) == []


@pytest.mark.slow
def test_room_is_not_made_of_what_changes(world: World) -> None:
    """An object that becomes another one meanwhile stays."""
    with_an_archive(world)

    def step(name: str) -> None:
        if name.startswith("remove") and name.endswith("metadata.json"):
            world.put("scotland/2020/09/data.tar.lz4", b"another")

    with pytest.raises(Conflict):
        Months(open_copying(world.bucket)).make_room(Collection(2, "scotland", LATER), (), step)
    assert world.objects()[FIRST] == b"another"


@pytest.mark.slow
def test_large_objects_are_copied_in_parts(world: World) -> None:
    """Beyond what one request copies, the parts are."""
    body = bytes(range(256)) * (11 << 12)
    world.put("from", body)
    bucket = open_copying(world.bucket)
    bucket.copy("from", "to", bucket.held("from", ""), copy_max=1 << 20, part=5 << 20)
    assert body == world.objects()["to"]


@pytest.mark.slow
def test_a_later_month_leaves_the_earlier_one_alone(world: World) -> None:
    """Each month has its own place."""
    with_an_archive(world)
    world.collection(2, NEW, at=OCTOBER)
    world.run()
    assert world.decisions() == {1: ("ARCHIVED", "first", False), 2: ("ARCHIVED", "new_period_much_larger", False)}
    assert complete_pairs(world.objects()) == ["scotland/2020/09/metadata.json", "scotland/2020/10/metadata.json"]


@pytest.mark.slow
def test_a_changed_object_is_not_copied(ministack_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is of the object that was looked at, or there is none. moto does not obey the condition."""
    for name, value in ministack_server.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack_server.endpoint_url)
    name = ministack_server.make_bucket()
    with ministack_server.client() as client:
        client.put(name, "from", b"one")
        with pytest.raises(StoreError):
            open_copying(name).copy("from", "to", Held(3, "0" * 32, ""))
        assert [listed.key for listed in client.list(name)] == ["from"]
