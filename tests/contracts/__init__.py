"""Each adapter is held to the contract of its port."""

import pytest

pytest.register_assert_rewrite("outhaul.testing.contracts.store")
pytest.register_assert_rewrite("outhaul.testing.contracts.files")
pytest.register_assert_rewrite("outhaul.testing.contracts.ledger")
