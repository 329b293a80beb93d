"""One S3 server that runs, and all that a test needs to know of it.

A `Server` is a plain value: it starts and stops nothing. Its credentials are worth nothing anywhere else.
"""

import os
import uuid
from dataclasses import dataclass

from servers.client import Client


@dataclass(frozen=True, slots=True)
class Server:
    """Where a test server listens and what it accepts."""

    name: str
    endpoint_url: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def client(self) -> Client:
        """A new client of its own connection; use one for each thread."""
        return Client(self.endpoint_url, self.access_key, self.secret_key, self.region)

    def make_bucket(self, label: str = "test") -> str:
        """Make an empty bucket under a name that no other test has, and return the name."""
        bucket = f"{label}-{uuid.uuid4().hex[:16]}"
        with self.client() as client:
            client.create_bucket(bucket)
        return bucket

    def environ(self) -> dict[str, str]:
        """The environment for a client process: these credentials and no AWS setting of the machine."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return inherited | {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
