"""Where a ledger is that several machines share: the address of a PostgreSQL database.

It holds no password (law L14). That comes from ~/.pgpass, a service file or the environment, as with every PostgreSQL client
(PostgreSQL documentation, "Connection URIs", "The Password File", "The Connection Service File").
"""

from __future__ import annotations

SCHEMES = ("postgresql", "postgres")
_SECRETS = {"password", "sslpassword"}


def is_ledger_address(text: str) -> bool:
    """Whether this is such an address, and no directory."""
    return text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def ledger_address(text: str) -> str:
    """The address, checked.

    Raises:
        ValueError: it is none; the text says what to write, and repeats no password.
    """
    if not is_ledger_address(text):
        raise ValueError("is no address of a PostgreSQL database; write postgresql://host/database")
    from urllib.parse import parse_qsl, urlsplit

    try:
        parts = urlsplit(text)
        given = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        secret = parts.password is not None or given & _SECRETS
    except ValueError:
        raise ValueError("cannot be read; write postgresql://host/database") from None
    if secret:
        raise ValueError("has a password in it; leave it out, and put it into ~/.pgpass or a service file")
    if not parts.path.strip("/") and not given & {"dbname", "service"}:
        raise ValueError("names no database; write postgresql://host/database")
    return text
