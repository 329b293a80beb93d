"""What must hold at each port, as pytest test classes.

An adapter is held to its contract by a subclass that gives the fixtures:

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self) -> Store:
            return MyStore()

These modules need pytest; nothing else in outhaul does.
"""
