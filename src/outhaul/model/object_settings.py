"""What an S3 object is given beside its bytes: its class, its labels, its encryption, its lock.

Values only, checked where they are read (`config/object_settings.py`). How a store is told of them is `stores/s3_headers.py`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

StorageClass = Literal[
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER",
    "DEEP_ARCHIVE",
]  # fmt: skip
"""Those that a PUT to a general purpose bucket may ask for (AWS, "PutObject", x-amz-storage-class)."""
Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
"""SSE-S3, SSE-KMS and two layers of SSE-KMS (AWS, "PutObject", x-amz-server-side-encryption)."""
LockMode = Literal["governance", "compliance"]

ARCHIVE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
"""What is in one of these is to be restored before it can be read (AWS, "Understanding archived objects")."""


class Lock(NamedTuple):
    """What keeps an object version from being deleted (AWS, "Locking objects with Object Lock")."""

    mode: LockMode | Literal[""] = ""
    """'' for no retention."""
    keep_ns: int = 0
    """How long the retention is, from the upload on; 0 only without a mode."""
    legal_hold: bool = False


class ObjectSettings(NamedTuple):
    """The settings of every object of a job; what is empty is left to the bucket."""

    storage_class: StorageClass | Literal[""] = ""
    content_type: str = ""
    """'auto' goes by the name of the key."""
    metadata: tuple[tuple[str, str], ...] = ()
    """Names, without 'x-amz-meta-' and in small letters, and values; both US-ASCII."""
    tags: tuple[tuple[str, str], ...] = ()
    encryption: Encryption | Literal[""] = ""
    kms_key: str = ""
    """Id, ARN or alias; '' is the account's own key for S3."""
    bucket_key: bool = False
    """Whether one key of the bucket stands in for calls of KMS (AWS, "Amazon S3 Bucket Keys")."""
    lock: Lock = Lock()


NO_SETTINGS = ObjectSettings()
