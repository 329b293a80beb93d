"""Find out what an endpoint does, with a private key and with requests that are wrong on purpose.

What a store says it checks, it may not check: of eight servers that were tried, three stored corrupt bodies with 200. So
each claim is tried once: a body that is not the signed one, a checksum and an MD5 that do not fit, an owner that is none.
What should be refused and is stored stands under `.outhaul-probe-refused`, and harms nobody. Two requests more are right,
and unusual: a key as long as S3 allows, and one of the characters that names of files are made of.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from outhaul.model.errors import AlreadyThere, Archived, Denied, Misconfigured, NotAsAsked, NotThere, Unproved
from outhaul.model.keys import KEY_BYTES_MAX, object_key
from outhaul.ports import Abilities, Held, Stored
from outhaul.stores.http_lane import Answer
from outhaul.stores.s3_fast import FastPuts, kept_sha256

PROBE_NAME = ".outhaul-probe"
LOCKED_NAME = ".outhaul-probe-locked"
LOCKED_NS = 3600 * 10**9
"""How long the one object of the probe is locked that has a lock; then it may be removed like the others."""
REFUSED_NAME = ".outhaul-probe-refused"
LONG_NAME = ".outhaul-probe-long"
ODD_NAME = (
    ".outhaul-probe-odd -rf a+b&c=d%e;f?g#h'i\"j\\k*l<m>n|o{p}^`[q],r:@$!(s)~"
    "\n\x1b[0m\udcff \u00e9e\u0301\u4e2d\U0001f6a2."
)
_SEGMENT = "/" + "k" * 199
PROBE_BODY, _SECOND = b"outhaul was here\n", b"outhaul was here, and this store replaces objects\n"
_OTHERS_MAX = 8
_ETAG = re.compile(rb'\r\netag:[ \t]*"?([0-9A-Za-z-]+)', re.IGNORECASE)


class Asked(NamedTuple):
    """What a store is asked in the usual way."""

    create: Callable[[str, bytes], Stored]
    """Creates an object, asking that none be replaced."""
    head: Callable[[str], Held]
    """What is held under a key."""
    read: Callable[[str], Iterator[bytes]]
    """The bytes under a key."""
    kept_sha256: Callable[[str], bytes | None]
    """The SHA-256 that is kept with an object, without reading it."""


def probe(prefix: str, asked: Asked, fast: FastPuts | None, suffix: str = "") -> Abilities:
    """What the endpoint does.

    Args:
        prefix: Where the private keys may stand.
        asked: For the right requests.
        fast: For the wrong requests; None where the way to the endpoint is not direct, and they are not tried.
        suffix: Of the name of the object that is read back: what other settings have left there says nothing of these.

    Raises:
        Unproved: what is read back is not what was written.
        StoreError: it cannot be used.
    """
    key = probe_key(prefix, suffix)
    create_only, content, etag = _create_twice(key, asked.create)
    why, archived = "", False
    try:
        readable, found = True, _read_back(key, content, asked)
    except (Denied, Misconfigured, Archived) as error:  # Such as a wrong clock, made up for in writing only.
        readable, found, why, archived = False, content[0], str(error), isinstance(error, Archived)
        if etag is None and fast is not None and not archived:
            etag = _etag_of(found, prefix, fast)
        if etag != _md5(found) and not archived:
            raise
    if etag is None and (readable or archived):
        etag = asked.head(key).etag
    tried = Abilities(create_only, readable, etag == _md5(found), why_unreadable=why)
    if fast is None:
        return tried
    # What is in an archive class has no answer to a GET; a HEAD tells of it.
    by_head = (lambda: asked.kept_sha256(key)) if archived else None
    return _try_wrong_values(tried, key, found, prefix, fast, by_head)


def probe_key(prefix: str, suffix: str) -> str:
    """Of the object that is read back."""
    name = f"{PROBE_NAME}{suffix}"
    return f"{prefix}/{name}" if prefix else name


def try_lock(prefix: str, suffix: str, asked: Asked, seen: Callable[[str], str]) -> None:
    """Whether a lock is kept, by an object that has one for an hour. One of an earlier probe does as well: it was locked.

    Args:
        prefix: As for `probe`.
        suffix: As for `probe`.
        asked: Of a store that gives its objects such a lock.
        seen: What an object does not show of the lock; '' for nothing.

    Raises:
        NotAsAsked: it shows none.
        StoreError: it cannot be locked.
    """
    name = f"{LOCKED_NAME}{suffix}"
    key = f"{prefix}/{name}" if prefix else name
    with contextlib.suppress(AlreadyThere):
        asked.create(key, PROBE_BODY)
    try:
        lack = seen(key)
    except (Denied, NotThere) as error:
        raise NotAsAsked(f"whether it locks objects cannot be seen: {error}") from None
    if lack:
        raise NotAsAsked(f"of an object that was to be locked: {lack}")


def _etag_of(body: bytes, prefix: str, fast: FastPuts) -> str:
    """What it gives as ETag for this body: the probe's own object was there already, and may not be looked at."""
    (answer,) = fast.ask([("PUT", _refused_key(prefix), {}, body, body)])
    found = _ETAG.search(answer.head) if isinstance(answer, Answer) and answer.status == 200 else None
    return found[1].decode("latin-1") if found else ""


def _refused_key(prefix: str) -> str:
    return f"{prefix}/{REFUSED_NAME}" if prefix else REFUSED_NAME


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _create_twice(key: str, create: Callable[[str, bytes], Stored]) -> tuple[bool, tuple[bytes, ...], str | None]:
    """Whether it refuses to replace; what may stand there now; and its ETag, None where there was no occasion to tell it."""
    try:
        stored = create(key, PROBE_BODY)
    except AlreadyThere:
        return True, (PROBE_BODY, _SECOND), None
    try:
        return False, (_SECOND,), create(key, _SECOND).etag
    except AlreadyThere:
        return True, (PROBE_BODY,), stored.etag


def _read_back(key: str, expected: tuple[bytes, ...], asked: Asked) -> bytes:
    """What is there. Where objects are replaced, another process that tries it may have put its first text over ours."""
    found = b"".join(asked.read(key))
    for _ in range(_OTHERS_MAX):
        if found != PROBE_BODY or PROBE_BODY in expected:
            break
        asked.create(key, _SECOND)
        found = b"".join(asked.read(key))
    if found not in expected:
        raise Unproved(f"what was written to {key} is not what is read back from it")
    return found


def _try_wrong_values(
    known: Abilities, key: str, content: bytes, prefix: str, fast: FastPuts, by_head: Callable[[], bytes | None] | None
) -> Abilities:
    wrong = _refused_key(prefix)
    other_md5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    other_sha256 = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    body = b"altered on the way\n"
    payload, md5, sha256, owner, seen, long, odd = fast.ask([
        ("PUT", wrong, {}, b"as it was signed\n", body),
        ("PUT", wrong, {"content-md5": other_md5}, body, body),
        ("PUT", wrong, {"x-amz-checksum-sha256": other_sha256}, body, body),
        ("PUT", wrong, {"x-amz-expected-bucket-owner": "000000000000"}, body, body),
        ("GET", key, {"x-amz-checksum-mode": "ENABLED"}, b"", b""),
        ("PUT", long_key(prefix), {}, PROBE_BODY, PROBE_BODY),
        ("PUT", object_key(prefix, ODD_NAME), {}, PROBE_BODY, PROBE_BODY),
    ])  # fmt: skip
    there = by_head() if by_head else kept_sha256(seen, key, "")
    keeps = _refused(sha256) is True and there == hashlib.sha256(content).digest()
    return known._replace(
        keeps_sha256=keeps,
        checks_payload=_refused(payload),
        checks_md5=_refused(md5),
        checks_owner=_refused(owner),
        takes_long_keys=_taken(long),
        takes_odd_keys=_taken(odd),
    )


def long_key(prefix: str) -> str:
    """A key of as many bytes as S3 allows, of segments that are no longer than names of files are."""
    front = f"{prefix}/{LONG_NAME}" if prefix else LONG_NAME
    room = max(0, KEY_BYTES_MAX - len(front.encode()))
    filled = front + (_SEGMENT * (room // len(_SEGMENT) + 1))[:room]
    return f"{filled[:-1]}k"


def _taken(answer: object) -> bool | None:
    refused = _refused(answer)
    return None if refused is None else not refused


def _refused(answer: object) -> bool | None:
    """Whether a wrong request was refused; None where that is not clear."""
    if not isinstance(answer, Answer) or answer.status >= 500:
        return None
    return 400 <= answer.status < 500
