"""What the server holds: buckets, objects with their versions, and multipart uploads under way. All of it in memory."""

import time
from dataclasses import dataclass, field
from typing import Literal

OWNER = "111122223333"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, as a reader gets it."""

    key: str
    body: bytes
    etag: str
    """Without quotes."""
    checksums: dict[str, str] = field(default_factory=dict)
    """Algorithm and value, as HEAD shows them."""
    checksum_type: str = "FULL_OBJECT"
    headers: dict[str, str] = field(default_factory=dict)
    """Content-Type, Content-Encoding and x-amz-meta-* of the upload."""
    version: str = ""
    modified: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart upload."""

    number: int
    body: bytes
    etag: str
    checksums: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Upload:
    """A multipart upload that is under way."""

    number: str
    key: str
    algorithm: str
    """Of the checksum that each part must carry; '' for none."""
    headers: dict[str, str]
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """One bucket."""

    name: str
    region: str
    owner: str = OWNER
    versioned: bool = False
    objects: dict[str, StoredObject] = field(default_factory=dict)
    """What a reader who names no version gets."""
    versions: dict[tuple[str, str], StoredObject] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    completed: dict[str, StoredObject] = field(default_factory=dict)
    """By the number of the upload that each was made of."""
    hidden: dict[str, int] = field(default_factory=dict)
    """By how many more readers each of these keys is missed, though it is there."""
    locked: bool = False
    """Whether it has Object Lock: an upload must carry Content-MD5 or a checksum."""

    def store(self, new: StoredObject) -> None:
        """Make `new` what is under its key."""
        self.objects[new.key] = new
        if new.version:
            self.versions[new.key, new.version] = new

    def bodies(self) -> dict[str, bytes]:
        """Every key and what is under it."""
        return {key: found.body for key, found in self.objects.items()}


@dataclass(slots=True)
class Behaviour:
    """What this store does and does not do. The defaults are those of AWS; everything else has been seen elsewhere."""

    etag: Literal["md5", "opaque", "echo", "none"] = "md5"
    """'opaque' looks like an MD5 and is none (SSE-KMS); 'echo' is the Content-MD5 that was sent, unchecked, else the MD5."""
    checksums: Literal["checked", "echoed", "ignored"] = "checked"
    """'echoed': not compared with the bytes, and shown by HEAD as it was sent; 'ignored': neither checked nor kept."""
    checks_content_md5: bool = True
    checks_payload: bool = True
    """Whether x-amz-content-sha256 is compared with the body."""
    conditions: bool = True
    """Whether If-None-Match and If-Match of a write are obeyed."""
    checks_owner: bool = True
    forgets: tuple[str, ...] = ()
    """Beginnings of headers of PutObject that it takes, and of which it keeps nothing."""
    forgets_of_parts: tuple[str, ...] = ()
    """The same of CreateMultipartUpload."""
    decompresses: bool = False
    """It stores what is inside a body with Content-Encoding: gzip."""
    clock_offset_seconds: float = 0.0
    part_bytes_min: int = 5 << 20
    completes_again: bool = False
    """CompleteMultipartUpload of an upload that is complete already gives 200, not 404."""
