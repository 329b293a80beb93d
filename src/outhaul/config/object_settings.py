"""The `object` table of a job: what its objects are given beside their bytes.

Pure. The limits are those of AWS: PutObject, "Working with object metadata" (2 KB of user-defined metadata), "Categorizing
your objects using tags" (ten tags, lengths, characters), "Object Lock", "Using dual-layer server-side encryption".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args

from outhaul.config import values
from outhaul.config.wording import Where, shown, unknown_key
from outhaul.model.job import Job
from outhaul.model.object_settings import ARCHIVE_CLASSES, Encryption, Lock, LockMode, ObjectSettings, StorageClass

OBJECT_KEYS = (
    "storage-class", "content-type", "metadata", "tags", "encryption", "kms-key", "bucket-key", "lock",
)  # fmt: skip
LOCK_KEYS = ("mode", "keep", "legal-hold")
STORAGE_CLASSES: tuple[StorageClass, ...] = get_args(StorageClass)
ENCRYPTIONS: tuple[Encryption, ...] = get_args(Encryption)
LOCK_MODES: tuple[LockMode, ...] = get_args(LockMode)
# RFC 9110, section 8.3: type "/" subtype, and parameters.
CONTENT_TYPE = r"^(?:auto|[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?: *;[ -~]{1,200})?)$"
KMS_KEY = (
    r"^(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(?:key|alias)/[A-Za-z0-9/_-]{1,256}"
    r"|(?:alias/)?[A-Za-z0-9_-][A-Za-z0-9/_-]{0,255})$"
)
METADATA_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,1024}$"
"""A token of RFC 9110: it becomes the name of a header."""
METADATA_VALUE = r"^[!-~](?:[ -~]*[!-~])?$"
TAG_NAME_MAX, TAG_VALUE_MAX, TAGS_MAX = 128, 256, 10
METADATA_BYTES_MAX = 2048
_KEEP_NS_MIN = 86_400 * 10**9

Note = Callable[[Where, str], None]
T = TypeVar("T")


def object_settings(value: object, where: Where, note: Note) -> ObjectSettings:
    """The settings that a table holds; what is wrong with it is noted."""
    if not isinstance(value, dict):
        note(where, f'expected a table such as {{ storage-class = "STANDARD_IA" }}, not {shown(value)}')
        return ObjectSettings()
    table = _Table(value, where, OBJECT_KEYS, note)
    made = ObjectSettings(
        table.take("storage-class", lambda one: values.choice(one, STORAGE_CLASSES), ""),
        table.take("content-type", _content_type, ""),
        table.take("metadata", _metadata, ()),
        table.take("tags", _tags, ()),
        table.take("encryption", lambda one: values.choice(one, ENCRYPTIONS), ""),
        table.take("kms-key", _kms_key, ""),
        table.take("bucket-key", values.truth, False),
        _lock(value["lock"], (*where, "lock"), note) if "lock" in value else Lock(),
    )
    if made.kms_key and made.encryption not in ("aws:kms", "aws:kms:dsse"):
        note((*where, "kms-key"), 'needs encryption = "aws:kms" beside it')
    if made.bucket_key and made.encryption != "aws:kms":
        note((*where, "bucket-key"), 'needs encryption = "aws:kms" beside it')
    return made


def faults(job: Job) -> Iterator[tuple[tuple[str, ...], str]]:
    """What of a job does not go with its objects: the path of the key, and what is wrong with it."""
    if job.objects != ObjectSettings() and job.destination.kind == "file":
        yield ("object",), "says nothing of files in a directory; leave it out, or write an s3:// address"
    if job.objects.encryption and job.connection.sse_c_key_file:
        yield (
            ("object", "encryption"),
            "does not go with sse-c-key-file: an object is encrypted in one way; leave one out",
        )
    if job.objects.storage_class in ARCHIVE_CLASSES and job.proof == "read-back":
        said = f'cannot be had of {job.objects.storage_class}, which takes hours to be read; write "auto" or "stored"'
        yield ("proof",), said


def tag_text(text: str) -> bool:
    """Whether tags may hold these characters: letters, digits and blanks of any script, and ``+ - = . _ : / @``."""
    return all(unicodedata.category(one)[0] in "LNZ" or one in "+-=._:/@" for one in text)


class _Table:
    """One table, of which every wrong key and value is noted."""

    def __init__(self, table: dict[str, Any], where: Where, known: tuple[str, ...], note: Note) -> None:
        self._table, self._where, self._note = table, where, note
        for key in table:
            if key not in known:
                note((*where, key), unknown_key(key, known, {}))

    def take(self, key: str, read: Callable[[object], T], default: T) -> T:
        if key not in self._table:
            return default
        try:
            return read(self._table[key])
        except ValueError as error:
            self._note((*self._where, key), str(error))
            return default


def _lock(value: object, where: Where, note: Note) -> Lock:
    if not isinstance(value, dict) or not value:
        given = "an empty one" if value == {} else shown(value)
        note(where, f'expected a table such as {{ mode = "governance", keep = "30d" }}, not {given}')
        return Lock()
    table = _Table(value, where, LOCK_KEYS, note)
    for key, other, example in (("mode", "keep", '"30d"'), ("keep", "mode", '"governance"')):
        if key in value and other not in value:
            note((*where, other), f"is missing; {key} needs it: write {other} = {example}")
    return Lock(
        table.take("mode", lambda one: values.choice(one, LOCK_MODES), ""),
        table.take("keep", _keep, 0),
        table.take("legal-hold", values.truth, False),
    )


def _keep(value: object) -> int:
    """A day at least: a store refuses a time that is past by its own clock, and it counts from the begin of an upload."""
    kept = values.kept(value)
    if kept < _KEEP_NS_MIN:
        raise ValueError(f'expected at least "1d", not {shown(value)}')
    return kept


def _content_type(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(CONTENT_TYPE, value):
        raise ValueError(f'expected "auto" or a type such as "text/csv", not {shown(value)}')
    return value


def _kms_key(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(KMS_KEY, value):
        raise ValueError(f'expected the id, alias or ARN of a KMS key, such as "alias/site-7", not {shown(value)}')
    return value


def _metadata(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError(f'expected a table such as {{ site = "7" }}, not {shown(value)}')
    found: dict[str, str] = {}
    for name, text in value.items():
        _metadata_entry(name, text)
        if name.lower() in found:
            raise ValueError(f"{shown(name)} stands twice: S3 tells no small and capital letters apart")
        found[name.lower()] = text
    if (size := sum(len(name) + len(text) for name, text in found.items())) > METADATA_BYTES_MAX:
        raise ValueError(f"expected at most {METADATA_BYTES_MAX} bytes of names and values in all, not {size}")
    return tuple(sorted(found.items()))


def _metadata_entry(name: object, text: object) -> None:
    if not isinstance(name, str) or not re.fullmatch(METADATA_NAME, name):
        raise ValueError(f"expected names of letters, digits, '-' and '_', not {shown(name)}")
    if name.lower().startswith("x-amz-"):
        raise ValueError(f'{shown(name)}: S3 puts "x-amz-meta-" in front itself; write the name without it')
    if not isinstance(text, str) or not re.fullmatch(METADATA_VALUE, text):
        raise ValueError(f'expected {shown(name)} to be US-ASCII text such as "7", without a space at either end')


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError(f'expected a table such as {{ project = "x" }}, not {shown(value)}')
    if len(value) > TAGS_MAX:
        raise ValueError(f"expected at most {TAGS_MAX} tags, not {len(value)}")
    for name, text in value.items():
        _tag(name, text)
    return tuple(value.items())


def _tag(name: object, text: object) -> None:
    letters = "letters, digits, spaces and + - = . _ : / @"
    if not isinstance(name, str) or not 1 <= len(name) <= TAG_NAME_MAX or not tag_text(name):
        raise ValueError(f"expected names of 1 to {TAG_NAME_MAX} characters ({letters}), not {shown(name)}")
    if name.lower().startswith("aws:"):
        raise ValueError(f'{shown(name)}: names that begin with "aws:" are kept for AWS; write another')
    if not isinstance(text, str) or len(text) > TAG_VALUE_MAX or not tag_text(text):
        raise ValueError(
            f"expected {shown(name)} to be at most {TAG_VALUE_MAX} characters ({letters}), not {shown(text)}"
        )
