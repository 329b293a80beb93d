"""Facts about the machine, without which a figure means nothing; nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def facts(files: Path, state: Path) -> dict[str, str]:
    """Return what the figures depend on, in words."""
    return {
        "system": _distribution(),
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _memory(),
        "python": platform.python_version(),
        "files on": _file_system(files),
        "ledger on": _file_system(state),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _processor() -> str:
    return _value(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()


def _memory() -> str:
    kilobytes = _value(Path("/proc/meminfo"), "MemTotal").split()
    return f"{int(kilobytes[0]) / 1e6:.0f} GB" if kilobytes else "unknown"


def _value(path: Path, name: str) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")


def _file_system(path: Path) -> str:
    """Return the kind of the file system, by the longest mount point that holds the path."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    holding = [(len(fields[1]), fields[2]) for fields in mounts if path.resolve().is_relative_to(fields[1])]
    return max(holding)[1] if holding else "unknown"
