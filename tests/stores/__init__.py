"""What is particular to each store."""
