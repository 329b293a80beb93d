"""What stands on a stick: lines that tell of packages, and lines that tell that the store holds them.

A line is one JSON object, complete by itself, with a digest of its own and, where both machines have a key, an HMAC-SHA256
(RFC 2104). A digest finds what a stick has damaged; only the HMAC says who wrote a line. Everything is read as if a
stranger had written it: what is not exactly as it should be is no line. Nothing is read or written here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, get_args

from outhaul.model.evidence import ProofKind
from outhaul.model.job import ProofRule
from outhaul.model.keys import KEY_BYTES_MAX, second_key
from outhaul.model.notes import Notes
from outhaul.model.object_settings import NO_SETTINGS, Encryption, Lock, LockMode, ObjectSettings, StorageClass

FORMAT = "outhaul-stick-1"
LINE_BYTES_MAX = 16 << 10
LENGTH_MAX = 1 << 46
"""Of one package, in bytes; more than any store takes."""
_ID = re.compile(r"[0-9a-f]{32}")
_PLACE = re.compile(r"(?:[0-9a-f]{32}\.[0-9]{1,10})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ENOUGH: dict[str, tuple[str, ...]] = {
    "auto": (ProofKind.ETAG, ProofKind.CHECKSUM, ProofKind.READ_BACK),
    "stored": (ProofKind.CHECKSUM, ProofKind.READ_BACK),
    "read-back": (ProofKind.READ_BACK,),
}


class Offer(NamedTuple):
    """A package on a stick, and where it is to go."""

    pack: str
    """32 hexadecimal digits that the device has drawn: a receipt that names them answers this very trip."""
    number: int
    """In the pack, from 0."""
    device: str
    job: str
    bucket: str
    key: str
    """The whole key."""
    endpoint: str
    """Of the store, as the device reaches it; '' is AWS."""
    offset: int
    """Of its first byte in the pack."""
    length: int
    sha256: bytes
    rule: ProofRule = "auto"
    """Evidence that the job asks for."""
    notes: Notes = ()
    settings: ObjectSettings = NO_SETTINGS
    customer_key: bool = False
    """Whether the store is to encrypt it with a key of the customer's (SSE-C). The key itself is on no stick."""
    after: str = ""
    """Pack, '.' and number of what has to be in the store before it is sent: a manifest makes a group count. '' for nothing."""

    @property
    def place(self) -> str:
        """What `after` calls it."""
        return f"{self.pack}.{self.number}"


class Carried(NamedTuple):
    """That the store holds a package, as the carrier has had it proved."""

    pack: str
    number: int
    bucket: str
    asked: str
    """The key that was asked for."""
    key: str
    """The one it has: the same, or a second key where other bytes stood under the first."""
    endpoint: str
    """Of the store, as the carrier reached it."""
    same_store: bool
    """Whether a person has said that this is the store that the device means, though its endpoint is another."""
    length: int
    sha256: bytes
    etag: str
    version: str
    proof: str
    """The `ProofKind`."""
    proved_ns: int
    """The carrier's wall clock; for people."""


_Line = TypeVar("_Line", Offer, Carried)


def offer_line(offer: Offer, key: bytes) -> bytes:
    """The line of a manifest; `key` is b'' where there is none."""
    return _sealed("package", offer, key)


def receipt_line(carried: Carried, key: bytes) -> bytes:
    """The line of a receipt file."""
    return _sealed("receipt", carried, key)


def read_offer(line: bytes, key: bytes) -> tuple[Offer, bool] | None:
    """A package, and whether its line is signed with `key`; None where it is no such line."""
    found = _opened("package", line, key, Offer)
    if found is None:
        return None
    offer, signed = found
    whole = (
        _named(offer.pack, offer.number, offer.bucket, offer.key, offer.length, offer.sha256)
        and 0 <= offer.offset <= LENGTH_MAX
    )
    return (offer, signed) if whole else None


def is_signed(line: bytes) -> bool:
    """Whether a line was signed, with whatever key; it is one of these lines, and whole."""
    try:
        fields = json.loads(line) if len(line) <= LINE_BYTES_MAX else None
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and isinstance(mac := fields.get("mac"), str) and _DIGEST.fullmatch(mac) is not None


def read_receipt(line: bytes, key: bytes) -> tuple[Carried, bool] | None:
    """A receipt, and whether its line is signed with `key`; None where it is no such line."""
    found = _opened("receipt", line, key, Carried)
    if found is None:
        return None
    carried, signed = found
    whole = (
        _named(carried.pack, carried.number, carried.bucket, carried.key, carried.length, carried.sha256)
        and carried.key in (carried.asked, second_key(carried.asked, carried.sha256))
        and carried.proof in _ENOUGH["auto"]
        and len(carried.etag) + len(carried.version) <= KEY_BYTES_MAX * 2
    )
    return (carried, signed) if whole else None


def answers(carried: Carried, offer: Offer) -> bool:
    """Whether a receipt speaks of this package, of this trip, in this store."""
    return (
        (carried.pack, carried.number, carried.bucket, carried.asked, carried.length, carried.sha256)
        == (offer.pack, offer.number, offer.bucket, offer.key, offer.length, offer.sha256)
    ) and (carried.same_store or carried.endpoint == offer.endpoint)


def suffices(proof: str, rule: ProofRule) -> bool:
    """Whether a kind of proof is what a rule asks for."""
    return proof in _ENOUGH[rule]


def is_id(text: object) -> bool:
    """Whether it is one of a stick, a pack or a device."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def _named(pack: str, number: int, bucket: str, key: str, length: int, sha256: bytes) -> bool:
    return (
        is_id(pack)
        and 0 <= number < 1 << 32
        and 0 < len(bucket) <= 255
        and bucket.isascii()
        and 0 < len(key.encode()) <= KEY_BYTES_MAX
        and 0 <= length <= LENGTH_MAX
        and len(sha256) == 32
    )


def _sealed(kind: str, line: Offer | Carried, key: bytes) -> bytes:
    fields = {"is": f"{FORMAT} {kind}", **line._asdict(), "sha256": line.sha256.hex()}
    if isinstance(line, Offer):
        fields["settings"] = None if line.settings == NO_SETTINGS else line.settings
        if not line.after:  # Desks that know nothing of groups read all else.
            del fields["after"]
    text = _canonical(fields)
    fields["digest"] = hashlib.sha256(text).hexdigest()
    if key:
        fields["mac"] = hmac.new(key, text, "sha256").hexdigest()
    return _canonical(fields) + b"\n"


def _opened(kind: str, line: bytes, key: bytes, made: type[_Line]) -> tuple[_Line, bool] | None:
    try:
        fields = json.loads(line) if len(line) <= LINE_BYTES_MAX else None
        if not isinstance(fields, dict) or fields.pop("is", None) != f"{FORMAT} {kind}":
            return None
        digest, mac = fields.pop("digest", ""), fields.pop("mac", "")
        text = _canonical({"is": f"{FORMAT} {kind}", **fields})
        if digest != hashlib.sha256(text).hexdigest():
            return None
        return _made(fields, made), bool(key) and _is_mac(mac, key, text)
    except (ValueError, RecursionError):
        return None


def _is_mac(mac: object, key: bytes, text: bytes) -> bool:
    return (
        isinstance(mac, str)
        and _DIGEST.fullmatch(mac) is not None
        and hmac.compare_digest(mac, hmac.new(key, text, "sha256").hexdigest())
    )


def _made(fields: Mapping[str, Any], made: type[_Line]) -> _Line:
    found = {"after": "", **fields} if made is Offer else fields
    if set(found) != set(made._fields):
        raise ValueError("other fields")
    return made(*[_READ.get(name, _plain_of)(found[name]) for name in made._fields])


def _exactly(kind: type) -> Callable[[object], Any]:
    def read(value: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"no {kind.__name__}")
        return value

    return read


def _plain_of(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    value.encode()  # A surrogate is none: UnicodeEncodeError is a ValueError.
    return value


def _digest_of(value: object) -> bytes:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError("no digest")
    return bytes.fromhex(value)


def _place_of(value: object) -> str:
    if not isinstance(value, str) or not _PLACE.fullmatch(value):
        raise ValueError("no place")
    return value


def _rule_of(value: object) -> Any:
    return _one_of(value, get_args(ProofRule))


def _one_of(value: object, choices: tuple[str, ...]) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise ValueError("no such word")
    return value


def _pairs_of(value: object) -> tuple[tuple[str, str], ...]:
    """What becomes headers: printable ASCII."""
    pairs = _texts_of(value)
    if not all((name + text).isascii() and (name + text).isprintable() for name, text in pairs):
        raise ValueError("not printable ASCII")
    return pairs


def _texts_of(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise ValueError("no pairs")
    return tuple([(_plain_of(name), _plain_of(text)) for name, text in value])


def _settings_of(value: object) -> ObjectSettings:
    if value is None:
        return NO_SETTINGS
    if not isinstance(value, list) or len(value) != len(ObjectSettings._fields):
        raise ValueError("no settings")
    kind, content, metadata, tags, encryption, kms, bucket, lock = value
    if not isinstance(lock, list) or len(lock) != len(Lock._fields):
        raise ValueError("no lock")
    ((content, kms),) = _pairs_of([[content, kms]])
    return ObjectSettings(
        _one_of(kind, ("", *get_args(StorageClass))),
        content,
        _pairs_of(metadata),
        _texts_of(tags),
        _one_of(encryption, ("", *get_args(Encryption))),
        kms,
        _truth_of(bucket),
        Lock(_one_of(lock[0], ("", *get_args(LockMode))), _number_of(lock[1]), _truth_of(lock[2])),
    )


_number_of, _truth_of = _exactly(int), _exactly(bool)
_READ: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(("number", "offset", "length", "proved_ns"), _number_of),
    **dict.fromkeys(("customer_key", "same_store"), _truth_of),
    "sha256": _digest_of,
    "rule": _rule_of,
    "after": _place_of,
    "notes": _pairs_of,
    "settings": _settings_of,
}
"""Fields that are no plain text."""


def _canonical(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
