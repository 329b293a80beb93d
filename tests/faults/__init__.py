"""Faults with real processes: a hostile producer, failing system calls, full disks, power cuts, a bad network.

Each test starts the shipped entry point (`python -m outhaul`), lets something go wrong at a numbered or random place,
lets faults stop, and then asks the checker of `tests/kill`, which shares no code with outhaul, whether a byte is lost.
"""
