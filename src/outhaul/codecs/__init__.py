"""Compression: files that the ordinary tools open, the same bytes from the same input every time.

`FORMATS` says what there is, without importing any of it; `open_codec` makes one; `trial.worth_compressing` decides for
`auto`. What every codec promises stands in `ports.Codec`. Nothing here opens a file, keeps a state or decides what
follows from an error. A codec's own library is imported when the codec is made, and its threads end with the iterator.
"""

from __future__ import annotations

import importlib

from outhaul.codecs.codec import CodecMissing, Undecodable
from outhaul.codecs.formats import FORMATS, Format, checked_level
from outhaul.ports import Codec

__all__ = ["FORMATS", "Codec", "CodecMissing", "Format", "Undecodable", "checked_level", "open_codec"]


def open_codec(name: str, level: int | None = None) -> Codec:
    """The codec of this name, one of `FORMATS`.

    Args:
        name: What a configuration calls it.
        level: How hard it tries; None is the default of the format.

    Raises:
        ConfigurationError: there is no such codec, or it has no such level.
        CodecMissing: its library is not installed; the text says what to install.
    """
    level = checked_level(name, level)
    module = importlib.import_module(f"outhaul.codecs.{FORMATS[name].module}")
    codec: Codec = module.make(level)
    return codec
