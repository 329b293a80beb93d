"""What every command of ours does first, before it looks at its arguments: its standard streams, and names as bytes (L13)."""

from __future__ import annotations

import io
import os
import sys


def begin() -> None:
    """Make the process one in which a command can run. May start the program again, in its place."""
    _fill_closed_descriptors()
    _read_names_as_utf8()
    for stream in (sys.stdout, sys.stderr):
        # What an odd locale or PYTHONIOENCODING cannot write is no reason to end.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fill_closed_descriptors() -> None:
    """Started without standard streams (`>&-`), lead them nowhere: else the next file opened would become one of them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _read_names_as_utf8() -> None:
    """Where the locale would read the names of files in another encoding, start again in Python's UTF-8 mode.

    A name would else get another key than in a UTF-8 locale, be it cron that has the other one: sent twice, and missed by
    `restore`. The mode can only be had from the start. It is asked for by an option, which unlike PYTHONUTF8 counts under
    `python -I` too, stands above a PYTHONUTF8=0, and is not handed on to the commands that jobs run.
    """
    if sys.getfilesystemencoding() == "utf-8" or "utf8" in sys._xoptions or not (sys.executable and sys.orig_argv):
        return
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
