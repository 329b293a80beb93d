"""The commands of the older programs, run as their users run them."""
