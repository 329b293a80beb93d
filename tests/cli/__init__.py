"""The command line as scripts and people see it: what it prints, where, and its exit codes."""
