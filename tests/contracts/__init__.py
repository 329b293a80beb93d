"""Each adapter is held to the contract of its port."""
