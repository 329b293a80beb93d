"""What a wheel has besides the sources: the man page, from the parser that it ships, and what makes digests faster, compiled.

The compiled part is optional: where there is no C compiler, or OUTHAUL_PURE=1 says so, the wheel is one for every machine,
and Python's `hashlib` does the work. It knows nothing of Python, so one wheel suits all versions of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "outhaul/host/libdigests.so"
FLAGS = ("-std=gnu11", "-O3", "-g0", "-s", "-fPIC", "-shared", "-fvisibility=hidden")


class Additions(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Found by hatchling, which is told of this file in pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add both to a wheel. An editable install has no man page, since its options still change."""
        if self.target_name != "wheel":
            return
        if version == "editable":
            self._compiled(os.path.join(self.root, "src", LIBRARY))
            return
        if library := self._compiled(os.path.join(self.root, "build", os.path.basename(LIBRARY))):
            build_data["force_include"][library] = LIBRARY
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        self._add_man_page(build_data)

    def _add_man_page(self, build_data: dict[str, Any]) -> None:
        sys.path.insert(0, os.path.join(self.root, "src"))
        from outhaul.frontends.cli.main import build_parser
        from outhaul.frontends.cli.man import page, today

        path = os.path.join(self.root, "build", "outhaul.1")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(page(build_parser(), today()))
        build_data["shared_data"][path] = "share/man/man1/outhaul.1"

    def _compiled(self, path: str) -> str:
        """Compile to `path`, which an earlier build may have left; '' where that is not to be."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            os.unlink(path)
        named = os.environ.get("CC", "").split() or ["cc"]
        if os.environ.get("OUTHAUL_PURE") == "1" or shutil.which(named[0]) is None:
            return ""
        source = os.path.join(self.root, "src", "outhaul", "host", "digests.c")
        made = subprocess.run([*named, *FLAGS, "-o", path, source], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            self.app.display_warning(f"digests.c is left out, hashlib does its work: {made.stderr.strip()[-300:]}")
            return ""
        return path
