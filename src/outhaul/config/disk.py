"""How much of a disk is to stay free, as people write it: `disk = { keep-free = "2GiB" }`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outhaul.config.sizes import shown_size, size_bytes
from outhaul.config.wording import Where, shown, unknown_key

DISK_KEYS = ("keep-free", "shed-below")


def disk(value: object, where: Where, note: Callable[[Where, str], None]) -> dict[str, Any]:
    """The fields of a job that say it.

    Args:
        value: What stands in the tree.
        where: The path of its key.
        note: Is told what is wrong, and where.
    """
    if not isinstance(value, dict):
        note(where, f'expected a table such as {{ keep-free = "2GiB" }}, not {shown(value)}')
        return {}
    for key in value:
        if key not in DISK_KEYS:
            note((*where, key), unknown_key(key, DISK_KEYS, {}))
    if "keep-free" not in value:
        note((*where, "keep-free"), 'is missing; write keep-free = "2GiB"')
    found = {key: _size(value[key], (*where, key), note) for key in DISK_KEYS if key in value}
    keep, shed = found.get("keep-free", 0), found.get("shed-below", 0)
    if shed and keep and shed >= keep:
        less = shown_size(keep // 4) if keep // 4 % (1 << 10) == 0 else "less"
        note(
            (*where, "shed-below"),
            f"is as much as keep-free or more, so that nothing would be tried before files are given up; write {less}",
        )
    return {"keep_free": keep, "shed_below": shed}


def _size(value: object, where: Where, note: Callable[[Where, str], None]) -> int:
    try:
        size = size_bytes(value, "2GiB")
        if not size:
            raise ValueError("expected a size above 0; leave it out for none")
    except ValueError as error:
        note(where, str(error))
        return 0
    return size
