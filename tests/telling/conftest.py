"""A place, ready to run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from telling.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Directories of one job."""
    return Place(tmp_path)


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The logger of outhaul, which is left as it was found."""
    logger = logging.getLogger("outhaul")
    before = logger.handlers[:], logger.level, logger.propagate, logging.raiseExceptions
    yield logger
    for handler in logger.handlers[:]:
        if handler not in before[0]:
            logger.removeHandler(handler)
            handler.close()
    logger.level, logger.propagate, logging.raiseExceptions = before[1:]
    logger.setLevel(before[1])
