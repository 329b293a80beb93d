"""Cases of journeys as rows of a table: what the server does, what the first run comes to, and what the user reads."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from outhaul.model.job import ProofRule
from strict.faults import ALWAYS, Fault, Kind
from strict.journeys import PREFIX, Journey

ALL = f"{PREFIX}/in/"
"""A part of the key of every file."""
SECOND = f"{PREFIX}/in/b/"
"""A part of the key of one of the three files."""
ANY = ""
PROBE = ".outhaul-probe"
HTML = b"<html><body>Welcome to the hotel. Please log in.</body></html>"
USELESS = "s3://the-bucket/site cannot be used"
"""What a user reads of a destination that cannot be used."""
OPAQUE = {"etag": "opaque", "checksums": "ignored"}
"""A store that gives neither an MD5 nor a checksum."""
KMS = {"etag": "opaque"}
"""A store whose ETag is no MD5, and which keeps a checksum."""
OLD = {"conditions": False}
"""A store that replaces objects though asked not to."""


@dataclass(frozen=True, slots=True)
class Row:
    """One case."""

    name: str
    faults: tuple[Fault, ...] = ()
    manners: dict[str, Any] = field(default_factory=dict)
    """Attributes of `Behaviour`, while the first run lasts."""
    proof: ProofRule = "auto"
    exit_code: int = 0
    left: int = 0
    """How many files the first run leaves in the source."""
    says: tuple[str, ...] = ()
    """What the user reads after it, among other things."""


def one(operation: str, kind: Kind, **more: Any) -> tuple[Fault, ...]:
    """One fault of the second file."""
    return (Fault(operation, kind, **({"key": SECOND} | more)),)


def error(operation: str, code: str, **more: Any) -> tuple[Fault, ...]:
    """One error of the second file."""
    return (Fault(operation, Kind.ERROR, **({"key": SECOND, "code": code, "message": "The store's own words"} | more)),)


def always(operation: str, code: str, **more: Any) -> tuple[Fault, ...]:
    """An error of every file, for as long as the first run lasts."""
    return error(operation, code, **({"key": ALL, "times": ALWAYS} | more))


def held(name: str, faults: tuple[Fault, ...], *says: str, **more: Any) -> Row:
    """A row in which one file is held."""
    return Row(name, faults, says=says, **({"exit_code": 1, "left": 1} | more))


def useless(name: str, faults: tuple[Fault, ...], *says: str, **more: Any) -> Row:
    """A row in which the destination cannot be used."""
    return Row(name, faults, says=(USELESS, *says), **({"exit_code": 4, "left": 3} | more))


def travel(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """Do what a row says: a run with the fault, and one without; nothing is lost, and after the second all is carried."""
    server = journey.server
    journey.proof = row.proof
    kept = {name: getattr(server.behaviour, name) for name in row.manners}
    for name, value in row.manners.items():
        setattr(server.behaviour, name, value)
    server.have(*row.faults)
    journey.begin()
    first = journey.run(capsys)
    journey.check()
    missing = [text for text in row.says if text not in first.said]
    assert (row.exit_code, row.left, []) == (first.exit_code, len(journey.left), missing), first.said
    server.mend()
    for name, value in kept.items():
        setattr(server.behaviour, name, value)
    second = journey.run(capsys)
    assert second.exit_code == 0, second.said
    journey.check_carried()
