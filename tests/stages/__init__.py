"""Each stage over the simulated world."""
