"""What a job wants compressed, and by what: the `Compression` of a job."""

from __future__ import annotations

from outhaul.codecs import open_codec
from outhaul.codecs.trial import worth_compressing
from outhaul.model.evidence import ByteSource
from outhaul.ports import Codec

AUTO = "auto"
AUTO_CODEC = "zstd"


class Always:
    """Every file, whatever is in it: so each name tells what it is."""

    plain_if_larger = False

    def __init__(self, name: str, level: int | None) -> None:
        self._codec = open_codec(name, level)

    def codec_for(self, source: ByteSource, length: int) -> Codec | None:
        """See `ports.Compression`."""
        return self._codec

    def named(self, name: str) -> Codec:
        """See `ports.Compression`."""
        return self._codec


class WhereItHelps(Always):
    """Files that become smaller, by what is in them: a picture, or an archive, is sent as it is."""

    plain_if_larger = True

    def __init__(self, level: int | None) -> None:
        super().__init__(AUTO_CODEC, level)

    def codec_for(self, source: ByteSource, length: int) -> Codec | None:
        """See `ports.Compression`."""
        return self._codec if length and worth_compressing(source, length) else None


def compression(name: str, level: int | None) -> Always | None:
    """What a job asks for; None where that is nothing.

    Raises:
        ConfigurationError: there is no such codec or level.
        CodecMissing: its library is not installed.
    """
    if name in ("", "none"):
        return None
    return WhereItHelps(level) if name == AUTO else Always(name, level)
