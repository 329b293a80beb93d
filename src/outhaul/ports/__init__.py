"""The seven windows to the world, and what must hold at each.

Everything between this file and `model/` is deterministic: it reads the clock, the disk, the network and the ledger
only through these protocols. Each has a real adapter (`host/`, `stores/`, `ledgers/`) and a simulated one (`testing/`), held to
one contract suite. Adapters raise the errors of `model/errors.py` and nothing else for any foreseeable fault; they
do not retry beyond what their method says.
"""

from __future__ import annotations

from outhaul.ports.clock import Clock, Moment
from outhaul.ports.codec import Codec, Compression
from outhaul.ports.digests import ONE_BY_ONE, Digests
from outhaul.ports.files import Aside, FileSystem, Folder, LeftAside, Listing, OpenFile, Space, Tree
from outhaul.ports.ledger import BegunBundle, Ledger, Observation
from outhaul.ports.monitor import Monitor
from outhaul.ports.store import Abilities, Answered, Begun, Held, NewObject, Outgoing, Sent, Store, Stored, one_by_one
from outhaul.ports.workers import Workers

__all__ = [
    "ONE_BY_ONE",
    "Abilities",
    "Answered",
    "Aside",
    "Begun",
    "BegunBundle",
    "Clock",
    "Codec",
    "Compression",
    "Digests",
    "FileSystem",
    "Folder",
    "Held",
    "Ledger",
    "LeftAside",
    "Listing",
    "Moment",
    "Monitor",
    "NewObject",
    "Observation",
    "OpenFile",
    "Outgoing",
    "Sent",
    "Space",
    "Store",
    "Stored",
    "Tree",
    "Workers",
    "one_by_one",
]
