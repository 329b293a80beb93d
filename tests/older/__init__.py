"""The commands of the older programs."""
