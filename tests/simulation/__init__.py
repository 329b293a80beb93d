"""The real engine, stages and ledger over a simulated machine, network and store: every fault, at every call.

`checker.py` says what must hold and shares no code with the product. `worlds.py` makes a world and its history of one
seed; `small.py` plays the `scenarios.py` whose every fault, and every pair of faults, is tried; `mutants.py` the planted bugs
that all of this must find. `python -m tests.simulation --help` runs any of it by hand.
"""
