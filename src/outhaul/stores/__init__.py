"""Places that hold objects: S3 and its relatives, and a directory. They know nothing of each other."""
