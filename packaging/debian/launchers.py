"""Puts the commands into place: each is a few lines that know where the libraries are, and nothing of the user's own."""

import os
import shutil
import sys
from importlib.metadata import distributions

TEXT = """#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/usr/lib/outhaul")
from {module} import {function}

{function}()
"""


def main(libraries: str, stage: str) -> None:
    """`outhaul` goes to /usr/bin; those of the older programs, whose names are not ours to take, stay beside the libraries."""
    shutil.rmtree(os.path.join(libraries, "bin"))
    # pip puts what a wheel has for the prefix here; debhelper installs the man page by itself.
    shutil.rmtree(os.path.join(libraries, "share"), ignore_errors=True)
    (ours,) = [found for found in distributions(path=[libraries]) if found.metadata["Name"] == "outhaul"]
    for script in ours.entry_points.select(group="console_scripts"):
        module, _, function = script.value.partition(":")
        directory = os.path.join(stage, "usr/bin" if script.name == "outhaul" else "usr/lib/outhaul/bin")
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, script.name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(TEXT.format(module=module, function=function))
        os.chmod(path, 0o755)


main(*sys.argv[1:])
