"""In which region a bucket is, asked of S3 itself, for a job that says `region = "auto"`.

A HEAD of the bucket, signed by nobody, is answered with the region in a header, whatever else the answer is (AWS,
"HeadBucket", x-amz-bucket-region; "Redirecting requests"). Asked once for each bucket and process.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from outhaul.model.errors import Transient
from outhaul.model.job import Connection
from outhaul.stores.s3_account import endpoint_url
from outhaul.stores.s3_endpoint import split

AUTO = "auto"
_HEADER = "x-amz-bucket-region"
_ANYWHERE = "https://s3.us-east-1.amazonaws.com"
_SECONDS = 10


def with_region(connection: Connection, bucket: str, environment: Mapping[str, str]) -> Connection:
    """The connection with the region of its bucket, where that is to be found out.

    Raises:
        Transient: it cannot be asked for at present.
        Misconfigured: the endpoint is no address.
    """
    if connection.region != AUTO:
        return connection
    ca_file = connection.ca_file or environment.get("AWS_CA_BUNDLE", "")
    told = _asked(endpoint_url(connection, environment) or _ANYWHERE, bucket, ca_file)
    return connection._replace(region=told)  # '' leaves it to the environment: relatives of S3 know no regions.


@functools.cache
def _asked(endpoint: str, bucket: str, ca_file: str) -> str:
    import http.client
    import ssl
    from urllib.parse import quote

    scheme, host, port, path = split(endpoint)
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or None)
        client: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    else:
        client = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        client.request("HEAD", f"{path}/{quote(bucket)}")
        return client.getresponse().getheader(_HEADER, "")
    except (OSError, http.client.HTTPException) as error:
        raise Transient(
            f"the region of bucket {bucket} cannot be asked for: {error or type(error).__name__}"
        ) from error
    finally:
        client.close()
