"""Writes the man page into the wheel, from the parser that it ships. Nothing else of the build is changed here."""

from __future__ import annotations

import os
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPage(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Found by hatchling, which is told of this file in pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make outhaul(1) a file of the wheel; an editable install has none, since its options still change."""
        if self.target_name != "wheel" or version == "editable":
            return
        sys.path.insert(0, os.path.join(self.root, "src"))
        from outhaul.frontends.cli.main import build_parser
        from outhaul.frontends.cli.man import page, today

        path = os.path.join(self.root, "build", "outhaul.1")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(page(build_parser(), today()))
        build_data["shared_data"][path] = "share/man/man1/outhaul.1"
