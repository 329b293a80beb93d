"""How an S3 store is reached: the keys that stand at the top of a configuration and in a job, and as options.

Pure. What goes with what is said in `faults`, which is asked again once options of the command line are laid over a
configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from outhaul.config import values
from outhaul.config.wording import shown
from outhaul.model.address import sends_in_the_clear, without_bucket
from outhaul.model.job import Connection, Destination

CONNECTION_KEYS = (
    "endpoint-url", "region", "profile", "bucket-owner", "requester-pays", "accelerate", "dual-stack", "fips", "ca-file",
    "proxy", "sse-c-key-file",
)  # fmt: skip
"""In the order of the fields of `Connection`."""
OWNER = r"^[0-9]{12}$"


def reader_of(key: str, absolute: Callable[[str], str]) -> Callable[[object], str | bool]:
    """What reads the value of a key; it raises ValueError."""
    if key in ("ca-file", "sse-c-key-file"):
        return lambda value: absolute(values.text(value, '"/path/of/the/file"'))
    return _READERS[key]


def bucket_owner(value: object) -> str:
    """The number of an AWS account."""
    if not isinstance(value, str) or not re.fullmatch(OWNER, value):
        raise ValueError(f'expected the 12 digits of an AWS account such as "111122223333", not {shown(value)}')
    return value


def proxy(value: object) -> str:
    """The address of a forward proxy. What is refused is not repeated: it may hold a password (law L14)."""
    if isinstance(value, str) and "@" in value:
        raise ValueError("holds credentials; leave it out, and set HTTPS_PROXY in the environment")
    if not isinstance(value, str) or not re.fullmatch(values.ENDPOINT, value) or not values.port_exists(value):
        raise ValueError('expected the address of a proxy such as "http://proxy.example.net:3128"')
    return value.rstrip("/")


_READERS: dict[str, Callable[[object], str | bool]] = {
    "endpoint-url": values.endpoint_url,
    "region": values.region,
    "profile": values.profile,
    "bucket-owner": bucket_owner,
    "requester-pays": values.truth,
    "accelerate": values.truth,
    "dual-stack": values.truth,
    "fips": values.truth,
    "proxy": proxy,
}


def faults(connection: Connection, target: Destination) -> Iterator[tuple[str, str]]:
    """What does not go together: the key, and what is wrong with it."""
    if instead := without_bucket(connection.endpoint_url, target.bucket):
        yield "endpoint-url", f"ends with the bucket, which {target.address} names already; write {shown(instead)}"
    if connection.endpoint_url:
        for key in ("accelerate", "dual-stack", "fips"):
            if getattr(connection, key.replace("-", "_")):
                yield key, "is an endpoint of AWS itself; leave out this, or endpoint-url"
    if connection.accelerate:
        if connection.fips:
            yield "accelerate", "has no FIPS endpoint; leave out accelerate, or fips"
        if "." in target.bucket:
            yield "accelerate", f"is not there for a bucket with dots in its name ({target.bucket}); leave it out"
    if connection.sse_c_key_file and sends_in_the_clear(connection.endpoint_url):
        yield "sse-c-key-file", "would send the key over plain HTTP; write an endpoint-url that begins with https://"
