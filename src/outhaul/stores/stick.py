"""A stick, as the store of a job whose bucket is out of reach.

True here: an upload is a package on a stick, and proves nothing; `vouch` has the receipts that came back (`stick_export.py`).
What stands under a key is what is on its way there, as far as this device knows: the rest is found out by the carrier, by the
same rules. What is not done: nothing is replaced, and no upload goes on in another process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from outhaul.model.bundle import MANIFEST
from outhaul.model.errors import AlreadyThere, NotThere, OnItsWay, StoreError, Transient, Unproved, UploadGone, bare
from outhaul.model.job import Job, ProofRule
from outhaul.model.notes import Notes
from outhaul.model.stick import Offer, suffices
from outhaul.ports import Abilities, Answered, Begun, Held, NewObject, Outgoing, Sent, Stored, one_by_one
from outhaul.ports.vouching import Vouch, VouchedStore
from outhaul.stores.stick_export import Visit

SMALL_MAX = 4 << 20
_CHUNK = 1 << 20
_SAYS_NOTHING = -1
"""Length of an object of which nothing is known but that it is another."""


class StickStore(VouchedStore):
    """The bucket of a job, as far as a stick can be it. Keys are whole keys."""

    small_max = SMALL_MAX
    md5_etags = wants_md5 = False
    many_at_once = False

    def __init__(self, job: Job, visit: Visit) -> None:
        self._job, self._visit, self._bucket = job, visit, job.destination.bucket

    def probe(self) -> Abilities:
        """See `ports.Store`. It is asked for the word of the carrier, and for nothing else."""
        return Abilities(create_only=True, readable=True)

    def adopt(self, abilities: Abilities) -> None:
        """Nothing depends on it."""

    def close(self) -> None:
        """See `ports.Store`. The visit goes on with other jobs."""

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        """See `ports.Store`."""
        self._visit.give(self._offer(key, len(body), notes)._replace(after=self._after(key)), (body,))
        return Stored("", "")

    def _after(self, key: str) -> str:
        """What a manifest is to wait for: its group, where that is on this stick, too.

        Raises:
            OnItsWay: its group is on another one.
        """
        group = MANIFEST.sub("", key)
        found = self._visit.find(self._bucket, group) if group != key else None
        if found is None or found.receipt is not None:
            return ""
        if found.stick != self._visit.stick.id:
            raise OnItsWay(f"its group is on stick {found.stick[:8]}")
        return found.offer.place

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`."""
        return [self._answered(new) for new in objects]

    def _answered(self, new: NewObject) -> Answered:
        started = time.monotonic_ns()
        try:
            return Answered(self.put(new.key, new.body, notes=new.notes), time.monotonic_ns() - started)
        except StoreError as error:
            return Answered(bare(error), 0)

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """See `ports.Store`. There is no such."""
        if self._visit.find(self._bucket, key) or self._visit.is_foreign(self._bucket, key):
            raise AlreadyThere(f"{key}: is on its way")
        return None

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
        if begun is not None:
            raise UploadGone("it goes on a stick, and there from its beginning")
        self._visit.give(self._offer(key, length), iter(lambda: source.read(_CHUNK), b""), seal)
        return Sent(Stored("", ""))

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`. The parts are in a bucket that is out of reach."""
        raise Transient("the bucket is out of reach")

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        if found := self._visit.find(self._bucket, key):
            return Held(found.offer.length, "", "")
        if self._visit.is_foreign(self._bucket, key):
            return Held(_SAYS_NOTHING, "", "")
        raise NotThere(f"{key}: is on no stick")

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """See `ports.Store`."""
        found = self._visit.find(self._bucket, key)
        return found.offer.sha256 if found else None

    def stored_sha256s(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[bytes | StoreError | None]:
        """See `ports.Store`."""
        return one_by_one(self.stored_sha256, objects)

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        return ""

    def lacks(self, key: str, version: str) -> str:
        """See `ports.Store`. The carrier has looked: see `vouch`."""
        return ""

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `ports.Store`. The bytes on a stick prove nothing, and tell no more than their digest."""
        raise Unproved(f"{key}: is out of reach, and may only be compared by its digest")

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`."""
        raise Transient("the bucket is out of reach")

    def wall_ns(self) -> int | None:
        """See `ports.Store`."""
        return None

    def vouch(self, key: str, sha256: bytes, length: int, rule: ProofRule) -> Vouch:
        """See `VouchedStore`."""
        found = self._visit.find(self._bucket, key)
        if found is None or (found.offer.sha256, found.offer.length) != (sha256, length):
            raise Unproved(f"{key}: what is on its way is not what was packed")
        if found.receipt is None:
            since = time.strftime("%Y-%m-%d", time.gmtime(found.since_ns // 10**9))
            raise OnItsWay(f"stick {found.stick[:8]}, since {since}")
        if not suffices(found.receipt.proof, rule):
            raise Unproved(f"the carrier's proof is {found.receipt.proof}, and the job asks for {rule}")
        self._visit.answered(self._job.name, self._bucket, key)
        return Vouch(found.receipt.etag, found.receipt.version)

    def _offer(self, key: str, length: int, notes: Notes = ()) -> Offer:
        job = self._job
        return Offer(
            "", 0, "", job.name, self._bucket, key, job.connection.endpoint_url, 0, length, b"", job.proof, notes,
            job.objects, bool(job.connection.sse_c_key_file),
        )  # fmt: skip
