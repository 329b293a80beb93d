"""Profiles of the older programs."""
