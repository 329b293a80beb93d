"""The harness of the races finds planted losses, and its faults strike where they should."""
