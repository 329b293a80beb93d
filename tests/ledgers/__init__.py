"""What is particular to each ledger."""
