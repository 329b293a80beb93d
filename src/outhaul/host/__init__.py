"""This machine: its files, clock, threads and signals."""
