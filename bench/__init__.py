"""The benchmark of outhaul, side by side with its peers: `python -m bench`. README.md says how to read it."""
