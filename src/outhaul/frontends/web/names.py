"""Names and figures as a template shows them.

A name is data (law L13): what would be interpreted is written as an escape, the template escapes the rest, and a name
in letters from right to left stays where it is (`bdi`).

A file is known in an address by the base64url (RFC 4648, section 5) of its path, which may be any bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined

from outhaul.frontends.cli import say
from outhaul.frontends.cli.show import address
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, State

PATH_MAX = 16_384


def environment() -> Environment:
    """The templates."""
    made = Environment(
        loader=PackageLoader("outhaul.frontends.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "name": printable, "size": say.size, "files": say.files, "span": say.span, "count": "{:,}".format, "moment": say.moment,
        "link": link, "address": address, "mark": mark, "sentence": sentence,
    }  # fmt: skip
    made.globals |= {"REASONS": REASONS, "State": State, "searches": True, "join": join, "by_reason": by_reason}
    return made


def mark(html: str) -> str:
    """Tells one state of a part from another."""
    return hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()[:16]


def sentence(text: str) -> str:
    """With a capital letter to begin with, and the rest as it is."""
    return text[:1].upper() + text[1:]


def by_reason(counts: dict[str, int], state: State) -> list[tuple[int, str]]:
    """How many files stand in a state, and why, most first."""
    found = [(count, REASONS[reason].meaning) for reason, count in counts.items() if REASONS[reason].state is state]
    return sorted(found, reverse=True)


def join(source: str, path: str) -> str:
    """The whole path of a file."""
    return f"{source.rstrip('/')}/{path}"


def link(path: str) -> str:
    """The address of the page on a file."""
    return "/file/" + base64.urlsafe_b64encode(path.encode("utf-8", "surrogateescape")).decode().rstrip("=")


def linked(text: str) -> str:
    """The opposite, of what stands after `/file/`; '' for what is none of ours."""
    if len(text) > PATH_MAX:
        return ""
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error):
        return ""
    return found if found.startswith("/") and "\0" not in found else ""
