"""Configurations of the older programs, and the jobs that they become."""
