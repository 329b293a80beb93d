"""To which host the requests for a bucket go, and which part of the path names the bucket.

AWS, "Amazon S3 endpoints and quotas", "Dual-stack endpoints", "Transfer Acceleration", "FIPS endpoints"; a test holds every
answer against botocore's.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from outhaul.model.errors import Misconfigured
from outhaul.stores.s3_account import Account


class Place(NamedTuple):
    """Where a bucket is."""

    scheme: str
    host: str
    port: int
    base: str
    """In front of each key: '/bucket' for path style, '' for virtual-hosted style."""

    @property
    def named(self) -> str:
        """The host as it stands in a URL and in the Host header: with the port where that is not the scheme's own."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        usual = (self.scheme, self.port) in (("https", 443), ("http", 80))
        return shown if usual else f"{shown}:{self.port}"


def place_of(known: Account, bucket: str) -> Place:
    """Where a bucket is, for this account.

    Raises:
        Misconfigured: the endpoint is no address.
    """
    if known.endpoint_url:
        scheme, host, port, path = split(known.endpoint_url)
        return Place(scheme, host, port, f"{path}/{bucket}")
    host = _aws_host(known)
    if "." in bucket:  # Its dots would not fit the certificate of virtual-hosted names.
        return Place("https", host, 443, f"/{bucket}")
    return Place("https", f"{bucket}.{host}", 443, "")


def split(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path without a slash at its end."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Misconfigured(f"endpoint-url {url!r}: {error}; write https://host:port") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"endpoint-url {url!r}: write http://host:port or https://host:port")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")


def _aws_host(known: Account) -> str:
    # The domain of a region's partition (AWS, "Partitions").
    domain = "amazonaws.com.cn" if known.region.startswith("cn-") else "amazonaws.com"
    stack = ".dualstack" if known.dual_stack else ""
    if known.accelerate:
        return f"s3-accelerate{stack}.{domain}"
    return f"s3{'-fips' if known.fips else ''}{stack}.{known.region}.{domain}"
