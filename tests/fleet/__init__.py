"""Devices that meet in a bucket."""
