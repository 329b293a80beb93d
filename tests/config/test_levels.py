"""The levels that a configuration may name are those that the codecs have."""

import pytest

from outhaul.codecs import FORMATS
from outhaul.config import keys, values


@pytest.mark.parametrize("name", sorted(set(keys.CODECS) - {"auto", "none"}))
def test_levels(name: str) -> None:
    """From the lowest to the highest, and none beyond."""
    form = FORMATS[name]
    assert [values.level(name, level) for level in (form.lowest, form.highest)] == [form.lowest, form.highest]
    for level in (form.lowest - 1, form.highest + 1, True, "3"):
        with pytest.raises(ValueError, match=name):
            values.level(name, level)


def test_every_codec_can_be_named() -> None:
    """And nothing else, but auto."""
    assert {*FORMATS, "auto", "none"} == set(keys.CODECS)
