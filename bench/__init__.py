"""The benchmark of outhaul, side by side with its peers: `python -m bench`. README.md tells how to read it."""
