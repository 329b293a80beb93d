"""Where the tests have their sticks."""

import os
import tempfile
from pathlib import Path

PLACE = "OUTHAUL_TEST_STICKS"
"""Names a directory of the file system to be tried; without it, sticks are where everything else of a test is."""


def new_stick(path: Path) -> Path:
    """An empty stick: this directory, or one on the file system to be tried."""
    if place := os.environ.get(PLACE):
        return Path(tempfile.mkdtemp(dir=place))
    path.mkdir(parents=True)
    return path
