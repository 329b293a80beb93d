"""The engine over the simulated world, with the real ledger."""
