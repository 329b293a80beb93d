"""`schema`: print the JSON Schema of the native configuration, which editors complete and check by."""

from __future__ import annotations

import argparse
import sys
from importlib.resources import files


def schema(_: argparse.Namespace) -> int:
    """As it stands in the package: `tests/config/test_schema.py` keeps it in step with the parser."""
    sys.stdout.write(files("outhaul.config").joinpath("schema.json").read_text(encoding="utf-8"))
    return 0
