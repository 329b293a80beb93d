"""The two errors that a codec may raise of its own, and how it comes by its library."""

from __future__ import annotations

import importlib
from types import ModuleType

from outhaul.model.errors import ConfigurationError, OuthaulError


class Undecodable(OuthaulError):
    """Stored bytes that are damaged, cut short, followed by something else, or hold more than they may."""


class CodecMissing(ConfigurationError):
    """The library of a codec is not installed."""


def load(module: str, codec: str, remedy: str) -> ModuleType:
    """Import a library, or say in one line what is missing and what helps."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CodecMissing(f"compression {codec!r} needs a library that is not here ({error}); {remedy}") from error


NOT_IN_PYTHON = "this Python was built without it: install one that has it (a distribution's own has)"
"""The remedy where a part of the standard library is missing."""
