"""S3 and its relatives.

Objects are reached through obstore (`s3_obstore.py`), or by botocore where a job gives its objects more than bytes
(`s3_botocore.py`); many small ones are created by `s3_fast.py`, on few threads; what obstore cannot do (explicit multipart,
stored checksums) is done by botocore, in `s3_control.py`, which is loaded when it is first needed. Each object is created,
never replaced: by `If-None-Match: *` where the endpoint has shown that it obeys, by looking first where it does not
(docs/decisions/0004-create-only.md). Payloads are signed, and carry their SHA-256, so that what is altered on the way is
refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outhaul.model.errors import (
    AlreadyThere,
    Denied,
    KeyBusy,
    NotAsAsked,
    NotThere,
    Refused,
    StoreError,
    Transient,
    UploadGone,
    bare,
)
from outhaul.model.job import Connection, Destination
from outhaul.model.notes import Notes
from outhaul.model.object_settings import NO_SETTINGS, Lock, ObjectSettings
from outhaul.ports import Abilities, Answered, Begun, Held, NewObject, Outgoing, Sent, Stored, one_by_one
from outhaul.ports.digests import ONE_BY_ONE, Digests
from outhaul.ports.sending import Share
from outhaul.stores.s3_account import account
from outhaul.stores.s3_fast import FastPuts, Redirected, can_go_fast, kept_sha256
from outhaul.stores.s3_fast_parts import FastParts
from outhaul.stores.s3_headers import RequestHeaders
from outhaul.stores.s3_probe import LOCKED_NS, PROBE_BODY, Asked, probe, probe_key, try_lock
from outhaul.stores.s3_region import with_region
from outhaul.stores.s3_shown import lacking_lock
from outhaul.stores.s3_taken import taken_keys

if TYPE_CHECKING:
    from outhaul.stores.s3_botocore import ByBotocore
    from outhaul.stores.s3_control import Control
    from outhaul.stores.s3_obstore import ByObstore
    from outhaul.stores.s3_parts import Multipart

SMALL_MAX = 16 << 20
"""Bytes. Up to this an object is one PUT, from memory."""
BURST_MAX = 256 << 10
"""Bytes. Where there is a limit, obstore sends no larger body: it goes at once, and not as it gets leave."""
_REMEMBERED_KEYS_MAX = 20_000
"""In a folder with more keys each is asked for: to list them all would take too long."""


class S3Store:
    """One bucket, beneath one prefix; keys are whole keys, prefix and all."""

    small_max = SMALL_MAX

    def __init__(
        self,
        destination: Destination,
        connection: Connection,
        settings: ObjectSettings = NO_SETTINGS,
        share: Share | None = None,
        digests: Digests = ONE_BY_ONE,
    ) -> None:
        connection = with_region(connection, destination.bucket, os.environ)
        self._destination, self._connection, self._settings = destination, connection, settings
        self._share, self._digests = share, digests
        self._account = account(connection, os.environ, destination.bucket)
        self._headers = RequestHeaders(settings, connection)
        self._create_only = False
        self._keeps_sha256 = False
        self.md5_etags = False
        self._content_md5 = True
        self._lock = threading.Lock()
        self._taken = taken_keys(self._account.endpoint_url, destination.bucket)
        self._control_: Control | None = None
        self._objects = self._general()
        goes_fast = can_go_fast(self._account, os.environ)
        self._fast = FastPuts(self._account, destination.bucket, self._headers, share) if goes_fast else None
        self._fast_parts = FastParts(self._fast) if self._fast is not None else None
        self.many_at_once = self._fast is not None

    def _general(self) -> ByObstore | ByBotocore:
        """The client for whatever is not done in a faster way: obstore cannot sign headers of ours."""
        if self._headers:
            return self._control().objects
        from outhaul.stores.s3_obstore import ByObstore

        return ByObstore(self._account, self._destination.bucket, self._share)

    # --- what the endpoint does ---------------------------------------------------------------------------------

    def probe(self) -> Abilities:
        """See `ports.Store`. The probe's own objects have every setting of the job's, and may be removed at any time.

        But for one, where the job locks its objects for some time: it is locked for an hour. Nothing but a person would end a
        legal hold, and so there is none.
        """
        if (lock := self._settings.lock) != Lock():
            with contextlib.closing(self._with(Lock())) as other:
                abilities = other.probe()
            if lock.mode:
                with contextlib.closing(self._with(Lock(lock.mode, LOCKED_NS))) as other:
                    other._try_lock()
            return abilities
        asked = Asked(self._create, self.head, self.read, self._kept_sha256)
        prefix, suffix = self._destination.prefix, self._headers.probe_suffix
        try:
            abilities = probe(prefix, asked, self._fast, suffix)
            if lack := self._lack_of_probe(probe_key(prefix, suffix), readable=abilities.readable):
                raise NotAsAsked(lack)
            return abilities
        except Denied as error:
            if not (owner := self._connection.bucket_owner):
                raise
            raise Denied(f"{error}; or correct bucket-owner, if the bucket is not that of {owner}") from None

    def _lack_of_probe(self, key: str, *, readable: bool) -> str:
        try:
            return self._renewed(key, lambda: self.lacks(key, ""))
        except Denied:
            if readable:
                raise
            return ""  # Who may only write is told by the answers to what is sent.

    def _renewed(self, key: str, lack: Callable[[], str]) -> str:
        """What an object of the probe lacks. One of an earlier day may lack what the store does by now: it is written anew."""
        if lack():
            self._create(key, PROBE_BODY, replace=True)
            return lack()
        return ""

    def _with(self, lock: Lock) -> S3Store:
        """The same with another lock."""
        return S3Store(self._destination, self._connection, self._settings._replace(lock=lock), self._share)

    def _try_lock(self) -> None:
        asked = Asked(self._create, self.head, self.read, self._kept_sha256)
        lock = self._settings.lock
        try_lock(
            self._destination.prefix,
            self._headers.probe_suffix,
            asked,
            lambda key: self._renewed(key, lambda: lacking_lock(lock, self._control().seen(key, ""))),
        )

    def _kept_sha256(self, key: str) -> bytes | None:
        return self._control().stored_sha256(key, "")

    def adopt(self, abilities: Abilities) -> None:
        """Obey what was learnt: look before writing where that is needed, believe no checksum that may be an echo.

        A pass begins with it: others have written meanwhile.
        """
        self._taken.clear()
        self._create_only = abilities.create_only
        self._keeps_sha256 = abilities.keeps_sha256
        self.md5_etags = abilities.md5_etag
        if self._fast is not None:
            self._fast.send_md5 = abilities.checks_md5 is True
        # Who does not compare a Content-MD5 might echo it as an ETag, which would then prove nothing.
        self._content_md5 = abilities.checks_md5 is not False

    @property
    def wants_md5(self) -> bool:
        """See `ports.Store`. A SHA-256 that is told, compared on arrival and kept is all that an MD5 could be."""
        return self.md5_etags or not self._keeps_sha256

    # --- objects --------------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        """See `ports.Store`."""
        if self._create_only or replace:
            return self._create(key, body, replace=replace, notes=notes)
        self._take(key)
        try:
            return self._create(key, body, notes=notes)
        except Transient:
            self._taken.forget(key)
            raise
        finally:
            self._taken.let_go([key])

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`. What the fast way does not do (a redirect) goes the general way, one by one."""
        if self._fast is None:
            return [self._answered(self.put, new) for new in objects]
        if self._create_only:
            return self._put_many(self._fast, objects, at_once)
        stays: dict[int, StoreError] = {}
        ours: list[NewObject] = []
        try:
            for index, new in enumerate(objects):
                try:
                    self._take(new.key)
                    ours.append(new)
                except (AlreadyThere, KeyBusy) as error:
                    stays[index] = bare(error)
                except StoreError as error:
                    for other in ours:  # It is not written, and counts as taken from now on.
                        self._taken.forget(other.key)
                    return [Answered(bare(error), 0) for _ in objects]
            sent = iter(self._put_many(self._fast, ours, at_once))
            answers = [Answered(stays[index], 0) if index in stays else next(sent) for index in range(len(objects))]
        finally:
            self._taken.let_go([new.key for new in ours])
        for new, answer in zip(objects, answers, strict=True):
            if isinstance(answer.outcome, Transient):
                self._taken.forget(new.key)
        return answers

    def _put_many(self, fast: FastPuts, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        answers = fast.put_many(objects, at_once)
        for index, answer in enumerate(answers):
            if isinstance(answer.outcome, Redirected):
                answers[index] = self._answered(self._create, objects[index])
        return answers

    def _answered(self, put: Callable[..., Stored], new: NewObject) -> Answered:
        started = time.monotonic_ns()
        try:
            return Answered(put(new.key, new.body, notes=new.notes), time.monotonic_ns() - started)
        except StoreError as error:
            return Answered(bare(error), 0)

    def _create(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        if self._fast is not None and not replace:
            new = NewObject(key, body, hashlib.sha256(body).digest(), notes=notes)
            outcome = self._fast.put_many([new], 1)[0].outcome
            if isinstance(outcome, Stored):
                return outcome
            if not isinstance(outcome, Redirected):
                try:
                    raise outcome
                finally:
                    del outcome  # It would hold this frame, and with it the body, until the collector comes.
        bursts = self._share is not None and len(body) > BURST_MAX
        objects = self._control().objects if bursts else self._objects
        return objects.put(key, body, replace=replace, notes=self._headers.fitting(notes))

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """See `ports.Store`. The key is looked at first, so that nothing large is sent for nothing."""
        self._taken.refuse_busy(key)
        if not replace:
            self._refuse_present(key)
        return self._marked(self._large().begin(key, length))

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        """See `ports.Store`."""
        large = self._large()
        if begun is None:
            once = self.begin_large(key, length, replace=replace)
            assert once is not None
        else:
            once = self._of_these_settings(begun)
        try:
            with self._taken.alone(key):
                # Before an earlier process's upload goes on, lest all of it be sent for nothing; and before each, where
                # the store would replace.
                if (
                    begun is not None
                    and not replace
                    and not (self._create_only and large.is_fresh(self._unmarked(once)))
                ):
                    self._refuse_present(key)
                sent = large.send(self._unmarked(once), source, seal, create_only=self._create_only and not replace)
        except BaseException as error:
            if begun is None:
                with contextlib.suppress(Exception):
                    self.abandon(once)
            elif isinstance(error, Refused) and self._headers.has_customer_key:
                with contextlib.suppress(StoreError):  # The file may hold another key than when the upload was begun.
                    self.abandon(begun)
                raise UploadGone(f"{error}; it is begun anew") from None
            raise
        # Told an MD5 that it has not shown to compare, a store may have made its ETag of that.
        return sent._replace(proving_etag="") if large.content_md5 and not self._content_md5 else sent

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`."""
        self._large().abandon(self._unmarked(begun))

    def _marked(self, begun: Begun) -> Begun:
        """An upload has the settings that it was begun with: which they were goes with its name, into the ledger."""
        return begun._replace(upload=f"{begun.upload} {self._headers.mark}".rstrip())

    def _unmarked(self, begun: Begun) -> Begun:
        return begun._replace(upload=begun.upload.partition(" ")[0])

    def _of_these_settings(self, begun: Begun) -> Begun:
        if begun.upload.partition(" ")[2] != self._headers.mark:
            with contextlib.suppress(StoreError):
                self.abandon(begun)
            raise UploadGone("it was begun with other settings of the object; it is begun anew")
        return begun

    def _large(self) -> Multipart:
        large = self._control().large
        # An ETag is computed of what has arrived; a checksum was told, and compared with that on arrival.
        large.sha256 = self._keeps_sha256 and not self.md5_etags
        # AWS, "PutObject": under Object Lock the bytes are to be told by their MD5 or a checksum.
        large.must_tell = self._settings.lock != Lock()
        large.content_md5 = self._content_md5 or large.must_tell
        large.shows = self._shows
        large.md5_etags, large.fast = self.md5_etags, self._fast_parts
        return large

    def _shows(self, answer: Mapping[str, Any]) -> bool:
        """Whether the answer to a completion shows all that protects the object; of a lock none tells (AWS)."""
        return self._settings.lock == Lock() and not self._headers.lacking(answer)

    def _refuse_present(self, key: str) -> None:
        try:
            there = self._is_there(key)
        except Denied:
            # Without s3:ListBucket a key that is not there is denied (AWS, "HeadObject"); the condition looks for us.
            if not self._create_only:
                raise
            return
        if there:
            raise AlreadyThere(f"PUT {key}: an object of this key exists")

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        return self._objects.head(key)

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """See `ports.Store`."""
        return self._control().stored_sha256(key, version) if self._keeps_sha256 else None

    def stored_sha256s(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[bytes | StoreError | None]:
        """See `ports.Store`. What the fast way makes nothing of goes the general way, one by one."""
        if not self._keeps_sha256:
            return [None] * len(objects)
        if self._fast is None:
            return one_by_one(self.stored_sha256, objects)
        try:
            answers = self._fast.head_many(objects, at_once)
        except StoreError as error:  # There are no credentials any more.
            return [bare(error) for _ in objects]
        found = [kept_sha256(answer, key, stored.etag) for answer, (key, stored) in zip(answers, objects, strict=True)]
        return [
            one_by_one(self.stored_sha256, [each])[0] if isinstance(kept, Redirected) else kept
            for kept, each in zip(found, objects, strict=True)
        ]

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        return self._control().stored_composite(key, version)

    def lacks(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        return self._headers.lacking(self._control().seen(key, version)) if self._headers.protect else ""

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `ports.Store`."""
        return self._objects.read(key, version, 0)

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`."""
        return self._objects.list(prefix)

    def wall_ns(self) -> int | None:
        """See `ports.Store`."""
        return self._control().wall_ns()

    def close(self) -> None:
        """See `ports.Store`. What obstore holds goes with it: it has no call for that."""
        if self._fast is not None:
            self._fast.close()
        if self._control_ is not None:
            self._control_.close()

    def _control(self) -> Control:
        with self._lock:
            if self._control_ is None:
                from outhaul.stores.s3_control import Control

                self._control_ = Control(
                    self._account, self._destination.bucket, self._headers, self._share, self._digests
                )
            return self._control_

    # --- create-only, where the endpoint does not do it -----------------------------------------------------------

    def _take(self, key: str) -> None:
        """One LIST for a whole folder where that is short, else a HEAD for each key."""
        self._taken.take(key, self._keys_in, self._is_there)

    def _is_there(self, key: str) -> bool:
        try:
            self.head(key)
        except NotThere:
            return False
        return True

    def _keys_in(self, folder: str) -> set[str] | None:
        keys: set[str] = set()
        for key in self.list(f"{folder}/" if folder else ""):
            keys.add(key)
            if len(keys) > _REMEMBERED_KEYS_MAX:
                return None
        return keys
