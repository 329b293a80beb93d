"""The documentation is true: its links lead somewhere, its commands are accepted, its tree is the tree."""
