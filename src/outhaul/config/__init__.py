"""Configuration, from text to jobs."""
