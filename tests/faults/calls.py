"""`python -m tests.faults.calls --all`: every error of every system call, from the root of the checkout."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> int:
    """Make the packages beneath tests/ importable, as pytest does, and run the loop."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    code: int = import_module("faults.call_loop").main(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
