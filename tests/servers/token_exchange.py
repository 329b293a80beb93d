"""A stand-in for the token exchange service of AWS IoT Greengrass, on a free port of 127.0.0.1.

It answers as AWS describes the container credential provider: a GET with the token of the component in `Authorization` gives
keys with an end, in JSON. Greengrass tells a component of it in two environment variables; `environ` has them.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers.server import Server

TOKEN = "token-of-this-component-0123456789"


class TokenExchange:
    """What is handed out, to whom, and for how long. Everything may be changed while it runs."""

    def __init__(self, server: Server) -> None:
        self.keys = server.access_key, server.secret_key
        self.token = TOKEN
        self.lifetime_seconds = 3600.0
        self.status = 200
        self.body: bytes | None = None
        """Answered instead of credentials."""
        self.asked = 0
        self.refused = 0
        asking = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = asking.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """It is said by nobody."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Status and body of the answer to one request."""
        self.asked += 1
        if path != "/2016-11-01/credentialprovider/":
            return 404, b"there is nothing here"
        if authorization != self.token:
            self.refused += 1
            return 403, b"the token is not known"
        if self.status != 200 or self.body is not None:
            return self.status, self.body or b"the cloud cannot be reached"
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.lifetime_seconds))
        given = {
            "AccessKeyId": self.keys[0], "SecretAccessKey": self.keys[1], "Token": "session-token-0123456789",
            "Expiration": end,
        }  # fmt: skip
        return 200, json.dumps(given).encode()

    @property
    def environ(self) -> dict[str, str]:
        """What Greengrass puts into the environment of a component."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://localhost:{self.port}/2016-11-01/credentialprovider/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    def close(self) -> None:
        """End it."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)


@contextmanager
def token_exchange(server: Server) -> Iterator[TokenExchange]:
    """A service that hands out the keys of this server, for the length of a `with`."""
    service = TokenExchange(server)
    try:
        yield service
    finally:
        service.close()
