"""A systemd of its own, as process 1 of a container whose root is this machine's with a layer over it that goes afterwards.

It is booted by systemd-nspawn(1) to a target that has one unit: a script, whose end is the end. So services are started, reloaded
and stopped by the manager that will start them, and their sandboxes are the kernel's. The network is this machine's: servers of
the tests are reached. Needs root, overlay file systems and cgroups that may be written to, as no container of Docker has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs.pages import ROOT

_BOOT_SECONDS = 120
_HIDDEN = re.compile("/(tmp|run|dev|proc|sys)/").match
"""What a container has of its own."""
_TARGET = """[Unit]
Requires=basic.target
After=basic.target
Wants=told.service
AllowIsolate=yes
"""
_SCRIPT = """[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh -eu /told/script
StandardOutput=file:/told/out
StandardError=file:/told/err
ExecStopPost=/bin/systemctl --no-block exit
"""


class Booted:
    """Boots it, once for each script."""

    def __init__(self, root: Path, told: Path) -> None:
        self._root, self._told = root, told

    def run(self, script: str) -> str:
        """What the script prints, with everything that it needs of this checkout on its path.

        Raises:
            AssertionError: it ended otherwise than well.
        """
        program = Path(sys.executable).parent / "outhaul"
        (self._told / "script").write_text(f"alias outhaul={program}\n{script}\necho THE END\n")
        units = self._root / "etc" / "systemd" / "system"
        (units / "told.target").write_text(_TARGET)
        (units / "told.service").write_text(_SCRIPT)
        done = self._boot("/lib/systemd/systemd", "--unit=told.target")
        out, err = ((self._told / name).read_text() if (self._told / name).exists() else "" for name in ("out", "err"))
        assert out.endswith("THE END\n"), f"{done.stdout}\n{done.stderr}\n{out}\n{err}"
        return out.removesuffix("THE END\n")

    def can(self) -> bool:
        """Whether containers can be had here."""
        return self._boot("/bin/true").returncode == 0

    def _boot(self, *command: str) -> subprocess.CompletedProcess[str]:
        there = [ROOT, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()]
        elsewhere = [path for path in there if path.stat().st_dev != Path("/").stat().st_dev or _HIDDEN(str(path))]
        words = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe",
                 f"--bind={self._told}:/told", *(f"--bind-ro={path}" for path in elsewhere), "-D", str(self._root),
                 *command]  # fmt: skip
        try:
            return subprocess.run(words, capture_output=True, text=True, timeout=_BOOT_SECONDS, check=False)
        except OSError as error:
            return subprocess.CompletedProcess(words, 1, "", str(error))


@contextmanager
def machine(directory: Path) -> Iterator[Booted | None]:
    """A machine to boot, while the block runs; None where none can be had."""
    layers = [directory / name for name in ("upper", "work", "root", "told")]
    for layer in layers:
        layer.mkdir()
    upper, work, root, told = layers
    if os.geteuid() or not shutil.which("systemd-nspawn") or not os.path.exists("/lib/systemd/systemd"):
        yield None
        return
    mount = ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", str(root)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        for path in (Path(sys.executable).resolve(), Path(sys.prefix).resolve(), ROOT):
            for above in (path, *path.parents):  # A checkout in a home directory is for its owner alone.
                seen = root / above.relative_to("/")
                if seen.exists():
                    seen.chmod(seen.stat().st_mode | 0o011)
        made = Booted(root, told)
        yield made if made.can() else None
    finally:
        subprocess.run(["umount", str(root)], check=True)
