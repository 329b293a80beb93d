"""A strict S3 server of our own, and what outhaul does against each fault that it can be told to have."""
