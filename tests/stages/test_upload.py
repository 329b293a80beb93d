"""Sending is safe to repeat, and replaces nothing (L2, L3)."""

import hashlib

import pytest

from outhaul.model.errors import Conflict, Denied, NoCopy, Transient, Unproved, UploadGone
from outhaul.model.job import ConflictRule
from outhaul.model.keys import second_key
from outhaul.ports import Begun
from outhaul.stages.upload import begin, upload
from outhaul.testing.store import Fault, StoredObject
from stages.faulty import Faulty
from stages.world import World

KEY = "site/a/file.csv"
LARGE = b"0123456789" * 10_000


def occupy(world: World, key: str, content: bytes = b"other bytes") -> None:
    """Something stands under the key already."""
    world.store.objects[key] = [StoredObject(content, "etag-of-somebody", "")]


@pytest.mark.parametrize("content", [b"", b"small", LARGE])
def test_an_upload_goes_to_its_key(world: World, content: bytes) -> None:
    """The object is the file, under the prefix and its path."""
    world.files.write("a/file.csv", content)
    sent = upload(world.package(), "keep-both", world.store)
    assert (KEY, True, content) == (sent.key, sent.sent, world.store.content(KEY))
    assert sent.etag == sent.proving_etag


@pytest.mark.parametrize("content", [b"", b"small", LARGE])
@pytest.mark.parametrize("etag", ["md5", "opaque"])
@pytest.mark.parametrize("keeps_sha256", [False, True])
def test_sending_again_adopts(world: World, content: bytes, etag: str, keeps_sha256: bool) -> None:
    """The same bytes under the key are as good as sent, and are not sent to another."""
    world.store.etag, world.store.keeps_sha256 = etag, keeps_sha256  # type: ignore[assignment]
    world.files.write("a/file.csv", content)
    upload(world.package(), "keep-both", world.store)
    again = upload(world.package(), "keep-both", world.store)
    assert (again.key, again.sent, list(world.store.objects)) == (KEY, False, [KEY])


@pytest.mark.parametrize("content", [b"small bytes", LARGE])
@pytest.mark.parametrize("other", [b"other bytes", b"", b"longer than what it stands in the way of"])
def test_other_bytes_stay_and_a_second_key_is_used(world: World, content: bytes, other: bytes) -> None:
    """What is there stays; the package goes beside it; and doing so again finds it there."""
    occupy(world, KEY, other)
    world.files.write("a/file.csv", content)
    package = world.package()
    sent = upload(package, "keep-both", world.store)
    assert (second_key(KEY, hashlib.sha256(content).digest()), True) == (sent.key, sent.sent)
    assert (other, content) == (world.store.content(KEY), world.store.content(sent.key))
    again = upload(package, "keep-both", world.store)
    assert (sent.key, False) == (again.key, again.sent)


@pytest.mark.parametrize("rule", ["keep-both", "hold", "replace"])
def test_the_very_file_is_no_copy(world: World, rule: ConflictRule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the destination leads back to the source, by a link or a mount, nothing is sent, and nothing proved."""
    world.files.write("a/file.csv", b"content")
    package = world.package()
    occupy(world, KEY, b"content")
    held = world.store.head(KEY)._replace(file=(package.sighting.device, package.sighting.inode))
    monkeypatch.setattr(world.store, "head", lambda _key: held)
    with pytest.raises(NoCopy, match="another name of it"):
        upload(package, rule, world.store)
    assert list(world.store.objects) == [KEY]


def test_both_keys_taken(world: World) -> None:
    """Where other bytes stand under both keys nothing is sent, and nothing replaced."""
    package = world.package()
    occupy(world, KEY)
    occupy(world, second_key(KEY, package.sha256))
    before = dict(world.store.objects)
    with pytest.raises(Conflict):
        upload(package, "keep-both", world.store)
    assert before == world.store.objects


def test_an_object_that_comes_and_goes_is_tried_again(world: World) -> None:
    """An object that was there, and then was not, is unknown: find out later (L3)."""
    occupy(world, KEY)
    world.store.steps.before("store.head", world.store.objects.clear)
    with pytest.raises(Transient):
        upload(world.package(), "keep-both", world.store)


def test_an_object_that_may_not_be_looked_at(world: World) -> None:
    """Where something is there and may not be read, nothing can be said, and nothing is replaced."""
    occupy(world, KEY)
    world.store.unreadable = True
    with pytest.raises(Unproved):
        upload(world.package(), "keep-both", world.store)


@pytest.mark.parametrize("error", [Transient("timeout"), Denied("403")])
def test_an_error_is_passed_on(world: World, error: Exception) -> None:
    """What the store says goes to the engine as it is: nothing is tried again here (L15)."""
    world.store.fail("put", Fault(error))  # type: ignore[arg-type]
    with pytest.raises(type(error)):
        upload(world.package(), "keep-both", world.store)
    assert world.store.steps.names() == ["store.put"]


@pytest.mark.parametrize("content", [b"small", LARGE])
def test_other_bytes_hold_the_file(world: World, content: bytes) -> None:
    """Where the job says `hold`, other bytes stay, and nothing is sent beside them."""
    occupy(world, KEY)
    world.files.write("a/file.csv", content)
    with pytest.raises(Conflict):
        upload(world.package(), "hold", world.store)
    assert (world.store.content(KEY), list(world.store.objects)) == (b"other bytes", [KEY])


@pytest.mark.parametrize("content", [b"small", LARGE])
def test_other_bytes_are_replaced(world: World, content: bytes) -> None:
    """Where the job says `replace`, and only there, the file takes the place of other bytes."""
    occupy(world, KEY)
    world.files.write("a/file.csv", content)
    sent = upload(world.package(), "replace", world.store)
    assert (KEY, True, content) == (sent.key, sent.sent, world.store.content(KEY))


@pytest.mark.parametrize("rule", ["keep-both", "hold", "replace"])
def test_the_same_bytes_are_adopted_by_every_rule(world: World, rule: ConflictRule) -> None:
    """What is there already is no conflict."""
    world.files.write("a/file.csv", b"same")
    upload(world.package(), rule, world.store)
    assert upload(world.package(), rule, world.store).sent is False


@pytest.mark.parametrize("what", ["misread", "flipped"])
def test_a_large_file_that_a_codec_spoils_does_not_come_to_be(world: World, what: str) -> None:
    """It is decompressed as it goes, and has to give the file: otherwise there is no object."""
    world.files.write("a/file.csv", LARGE)
    package = world.package()._replace(codec="bzip2")
    with pytest.raises(Unproved):
        upload(package, "keep-both", world.store, codec=Faulty(what))
    assert world.store.objects == {}


@pytest.mark.parametrize(("codec", "expected"), [("", 1 << 20), ("bzip2", (1 << 20) + (1 << 14))])
def test_what_a_codec_may_make_larger_is_reckoned_with(
    world: World, codec: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store takes so many parts and no more: their size follows from what may come out."""
    world.files.write("a/file.csv", LARGE)
    package = world.package()._replace(body=None, codec=codec, length=1 << 20)
    lengths: list[int] = []
    monkeypatch.setattr(world.store, "begin_large", lambda _key, length, **_: lengths.append(length))
    begin(package, "keep-both", world.store)
    assert lengths == [expected]


@pytest.mark.parametrize("rule", ["hold", "replace"])
def test_the_rule_of_now_holds_for_what_was_begun_under_another(world: World, rule: ConflictRule) -> None:
    """What was begun under a second key goes on by no rule that knows no second keys; nothing more of it is sent."""
    occupy(world, KEY)
    world.files.write("a/file.csv", LARGE)
    begun = begin(world.package(), "keep-both", world.store)
    assert isinstance(begun, Begun)
    assert begun.key == second_key(KEY, hashlib.sha256(LARGE).digest())
    with pytest.raises(UploadGone):
        upload(world.package(), rule, world.store, begun=begun)
    assert (world.store.parts_sent, list(world.store.objects)) == (0, [KEY])
    assert upload(world.package(), "keep-both", world.store, begun=begun).key == begun.key
