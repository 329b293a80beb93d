"""What is particular to this machine's own files and clocks."""
