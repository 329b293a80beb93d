"""One POST to an address that only we and its owner know: it is repeated nowhere, least of all in an error (law L14)."""

from __future__ import annotations

from collections.abc import Mapping

SECONDS = 10


def post(address: str, body: bytes, headers: Mapping[str, str], *, redirected: bool = True) -> str:
    """Send it.

    Args:
        address: http or https.
        body: What is sent.
        headers: Beside those that any request has.
        redirected: Whether an answer may lead elsewhere; the body goes to nobody else in any case.

    Returns:
        Why it did not go through, in words without the address; '' where it did.
    """
    import http.client
    from urllib.error import URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class _Stays(HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        request = Request(address, body, {"User-Agent": "outhaul", **headers})
        with build_opener(*(() if redirected else (_Stays,))).open(request, timeout=SECONDS) as answer:
            answer.read(1024)
    except (OSError, URLError, http.client.HTTPException, ValueError) as error:
        # Some errors repeat the address.
        said = str(getattr(error, "reason", "") or getattr(error, "code", "") or type(error).__name__)
        return said.replace(address, "...")
    return ""


def host_of(address: str) -> str:
    """What of an address may be told."""
    from urllib.parse import urlsplit

    return urlsplit(address).hostname or ""
