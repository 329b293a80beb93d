"""The simulated world, and the contracts that it and the real one are held to."""
