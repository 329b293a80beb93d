"""Fuzz: ledger files, file names, replies of stores, and secrets, against the real command in a process of its own."""
