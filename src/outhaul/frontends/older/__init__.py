"""The commands of the older programs, one module each, with the interface that their users know."""
