"""Laws that the source itself must keep."""
