"""What formats there are: names, suffixes and levels, known without importing any library."""

from __future__ import annotations

from typing import NamedTuple

from outhaul.model.errors import ConfigurationError


class Format(NamedTuple):
    """One format of compressed files."""

    suffix: str
    """What it adds to a name; '' for none."""
    lowest: int
    default: int
    highest: int
    module: str
    """Where in this package it is."""


FORMATS = {
    "none": Format("", 0, 0, 0, "plain"),
    "bzip2": Format(".bz2", 1, 9, 9, "bzip2"),
    "gzip": Format(".gz", 1, 6, 9, "gzip"),
    # Beyond 19, zstd needs memory by the hundreds of megabytes, also from whoever opens the file.
    "zstd": Format(".zst", 1, 3, 19, "zstd"),
    "xz": Format(".xz", 0, 6, 9, "xz"),
    "lz4": Format(".lz4", 1, 1, 12, "lz4"),
}
"""By the name that a configuration uses."""


def checked_level(name: str, level: int | None = None) -> int:
    """The level to use, or the default of the format.

    Raises:
        ConfigurationError: there is no such format, or it has no such level.
    """
    if name not in FORMATS:
        raise ConfigurationError(f"there is no compression {name!r}; there are {', '.join(FORMATS)}")
    format_ = FORMATS[name]
    if level is None:
        return format_.default
    if format_.lowest <= level <= format_.highest:
        return level
    if format_.lowest == format_.highest:
        raise ConfigurationError(f"compression {name!r} has no levels")
    raise ConfigurationError(f"the level of {name} is {format_.lowest} to {format_.highest}, not {level}")
