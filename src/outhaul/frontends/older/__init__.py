"""The commands of the older programs, as their users know them: one module each."""
