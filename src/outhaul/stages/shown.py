"""Whether the store still shows what it showed earlier: asked before a source goes by a receipt that is not of this pass.

Between that proof and now a bucket may have been emptied, a rule of it may have removed the object, or a disk may not be mounted
where one was. By a receipt alone the only copy would go. What was proved in this very pass is not asked for again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from outhaul.model.errors import Denied, Missing, NotThere, StoreError, bare
from outhaul.model.evidence import Receipt
from outhaul.model.job import Job
from outhaul.model.keys import is_key_of, object_key, placed
from outhaul.ports import Store
from outhaul.ports.vouching import VouchedStore


def not_shown(receipts: Sequence[Receipt], job: Job, store: Store, *, is_full: bool) -> dict[int, StoreError]:
    """Numbers of those of some receipts whose sources have to stay, and why: `Missing`, or what kept the store from saying.

    One request for each object; files that travelled together have one. Where it is denied the receipt has to do: a device
    that may write and not read is told of no object, be it there or not. So it has where the store is out of reach
    (`VouchedStore`); and on a disk that `is_full`, where the store does not answer.
    """
    if isinstance(store, VouchedStore):
        return {}
    known: dict[str, StoreError | None] = {}
    for receipt in receipts:
        if receipt.key not in known:
            known[receipt.key] = _lack(receipt, job, store)
    keeping = {key: lack for key, lack in known.items() if lack and (isinstance(lack, Missing) or not is_full)}
    return {receipt.number: keeping[receipt.key] for receipt in receipts if receipt.key in keeping}


def _lack(receipt: Receipt, job: Job, store: Store) -> StoreError | None:
    try:
        held = store.head(receipt.key)
        # A compressed one, or a bundle, has another key, and a length that the receipt does not tell.
        alone = is_key_of(receipt.key, object_key(job.destination.prefix, placed(job.key, receipt.sighting.path)))
        if not alone:
            return None
        if held.length != receipt.sighting.size:
            return Missing(f"{receipt.key} has {held.length} bytes now, not {receipt.sighting.size}")
        if job.proof == "read-back" and _digest(receipt.key, store) != receipt.sha256:
            return Missing(f"{receipt.key} has other bytes now")
    except NotThere:
        return Missing(f"there is no {receipt.key} now")
    except Denied:
        return None
    except StoreError as error:
        return bare(error)
    return None


def _digest(key: str, store: Store) -> bytes:
    digest = hashlib.sha256()
    for chunk in store.read(key):
        digest.update(chunk)
    return digest.digest()
