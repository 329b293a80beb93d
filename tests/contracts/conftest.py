"""The contracts' assertions show their operands, as those of test modules do."""

import sys

import pytest

for _name in ("store", "files", "removal", "ledger"):
    if f"outhaul.testing.contracts.{_name}" not in sys.modules:
        pytest.register_assert_rewrite(f"outhaul.testing.contracts.{_name}")
