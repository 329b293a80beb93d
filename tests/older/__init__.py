"""The commands of the older programs, run for real."""
