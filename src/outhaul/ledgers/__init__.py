"""What has been seen and what has been proved, on disk."""
