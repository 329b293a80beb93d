"""Compressed objects of a bucket come back as the files they were, where it is known that outhaul compressed them.

Known it is from the notes beside an object (`model/notes.py`); only those whose names end as a codec's do are asked for them.
Where somebody says that names alone are enough, names are believed; then only the codec's own check speaks for the file.
Two files never get one path here: the second one comes back as it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from outhaul.engine.fetching import Fetched
from outhaul.model.errors import StoreError, Transient, bare
from outhaul.model.notes import Claims, as_noted, by_name, codec_of
from outhaul.model.returning import Wanted
from outhaul.stages.restore import Shelf


class Undoing:
    """Finds out what the objects of a batch were, and hands it on. Each call may be on another thread.

    Args:
        fetch: What brings a batch back.
        suffixes: Codec to what it adds to a name.
        claims: Which paths are taken.
        stopped: Asked between objects.
        by_names: Believe the name of an object that has no notes.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[Wanted], int, Shelf | None], Fetched],
        suffixes: Mapping[str, str],
        claims: Claims,
        stopped: Callable[[], bool],
        *,
        by_names: bool = False,
    ) -> None:
        self._fetch = fetch
        self._suffixes = suffixes
        self._claims = claims
        self._stopped = stopped
        self._by_names = by_names

    def __call__(self, batch: Sequence[Wanted], weighs: int, shelf: Shelf | None) -> Fetched:
        """See `engine.restoring.Hands.work`. In a dry run no object is asked for its notes: names are as they are stored."""
        if shelf is None:
            return self._fetch(batch, weighs, shelf)
        found: list[Wanted] = []
        setbacks: list[tuple[Wanted, StoreError]] = []
        for one in batch:
            try:
                found.append(self._original(one, shelf))
            except Transient as error:
                setbacks.append((one, bare(error)))
            except StoreError:  # Fetching it will tell.
                found.append(one)
        fetched = self._fetch(found, weighs, shelf)
        fetched.setbacks.extend(setbacks)
        return fetched._replace(batch=batch)

    def _original(self, one: Wanted, shelf: Shelf) -> Wanted:
        if one.codec or one.within is not None or self._stopped():
            return one
        codec = codec_of(one.path, self._suffixes)
        if not codec:
            return one
        whole = as_noted(one, shelf.describe(one.key, one.version).notes, self._suffixes)
        if whole is None and self._by_names:
            whole = by_name(one, codec, self._suffixes[codec])
        if whole is None or self._claims.claim(whole.path, whole.sha256) == "other":
            return one
        return whole
