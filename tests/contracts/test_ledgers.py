"""The ledger contract, held by SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.ports import Ledger
from outhaul.testing.contracts.ledger import NOW, LedgerContract, Open


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Open:
        @contextmanager
        def open_it() -> Iterator[Ledger]:
            ledger = SqliteLedger(str(tmp_path / "state"), lambda: NOW.wall_ns)
            try:
                yield ledger
            finally:
                ledger.close()

        return open_it
