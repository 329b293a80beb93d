"""A table of JSON in a small file of ours, which is there as a whole, and on disk, or as it was before."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

_BYTES_MAX = 64 << 10
_BYTES_MAX_STRICTLY = 4 << 20


def read(path: str) -> dict[str, Any] | None:
    """A table of JSON in a small file of ours; None where there is none, or no such."""
    try:
        with open(path, "rb") as file:
            tree = json.loads(file.read(_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def read_strictly(path: str) -> dict[str, Any] | None:
    """As `read`, but None only where there is no such file. Raises OSError, and ValueError where it is none of ours."""
    try:
        with open(path, "rb") as file:
            tree = json.loads(file.read(_BYTES_MAX_STRICTLY))
    except FileNotFoundError:
        return None
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(tree, dict):
        raise ValueError("no table")
    return tree


def write(path: str, tree: dict[str, Any]) -> None:
    """The whole of it or nothing, and on disk when this returns. Raises OSError."""
    beside = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(tree, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def forget(path: str) -> None:
    """Remove such a file, where there is one and that can be."""
    with contextlib.suppress(OSError):
        os.unlink(path)
