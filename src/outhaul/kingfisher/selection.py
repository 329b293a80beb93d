"""The collections that may be archived, from the database of Kingfisher Process. It is only read.

libpq reads `~/.pgpass` by itself, and what stands there goes before the password of the configuration, as it always did.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from outhaul.config.profiles.kingfisher import Database
from outhaul.kingfisher.collection import Collection
from outhaul.model.errors import ConfigurationError, OuthaulError

if TYPE_CHECKING:
    import psycopg

_QUERY = (
    "SELECT id, source_id, data_version FROM collection WHERE sample IS FALSE AND store_end_at IS NOT NULL "
    "AND transform_type = '' AND deleted_at IS NULL ORDER BY id ASC"
)
_CONNECT_SECONDS = 10


class SelectionFailed(OuthaulError):
    """The database did not tell which collections there are: nothing was done."""


def collections(database: Database) -> list[Collection]:
    """All that were stored to their end, are no samples and no transformed ones, and were not deleted; by number.

    Raises:
        ConfigurationError: psycopg is not installed.
        SelectionFailed: the database cannot be reached, or answers something else.
    """
    try:
        import psycopg
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the collections are in PostgreSQL, which needs psycopg ({error}): pip install 'outhaul[kingfisher]'"
        ) from None
    try:
        with _connected(database) as connection, connection.cursor() as cursor:
            cursor.execute(_QUERY)
            return [_collection(row) for row in cursor.fetchall()]
    except psycopg.Error as error:
        said = " ".join(str(error).split()) or type(error).__name__
        where = f"{database.username}@{database.hostname}:{database.port}/{database.name}"
        raise SelectionFailed(f"PostgreSQL {where}: {_without(database.password, said)}") from None


@contextlib.contextmanager
def _connected(database: Database) -> Iterator[psycopg.Connection]:
    import psycopg

    def connect(password: str | None) -> psycopg.Connection:
        return psycopg.connect(
            host=database.hostname, port=database.port, user=database.username, dbname=database.name,
            password=password, connect_timeout=_CONNECT_SECONDS, application_name="outhaul kingfisher-archive",
        )  # fmt: skip

    try:
        connection = connect(None)
    except psycopg.OperationalError:
        if not database.password:
            raise
        connection = connect(database.password)
    with connection:
        connection.read_only = True
        yield connection


def _collection(row: tuple[object, ...]) -> Collection:
    number, source_id, data_version = row
    if not isinstance(number, int) or not isinstance(source_id, str) or not isinstance(data_version, datetime):
        raise SelectionFailed(f"the table collection holds what no Kingfisher Process wrote: id {number}")
    return Collection(number, source_id, data_version.replace(tzinfo=None))


def _without(secret: str, text: str) -> str:
    return text.replace(secret, "...") if len(secret) >= 4 else text
