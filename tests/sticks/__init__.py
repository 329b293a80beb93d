"""Sticks on the file systems that sticks have."""
