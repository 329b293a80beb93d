"""A block of shell commands as a script that can be run: what stays is ended again, and what cannot be done here is left out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence

NOT_HERE = (
    (r"\S*pipx? install |apt(-get)? install ", "installs from the internet"),
    (r"\./dev ", "makes .venv from the internet, or tests, measures and builds for minutes: test_installing.py, CI"),
    (r"python -m bench(?!.* --list)", "measures or races for minutes"),
    (r"docker ", "there is no engine here; the image is held against the project by test_installing.py"),
    (r"systemctl |systemd-analyze |journalctl ", "systemd is not the first process here; cli/test_booted.py boots one"),
    (r"ssh |parallel |srun ", "needs other machines"),
    (r"gdk |python3 build\.py", "asks AWS, or fetches wheels; test_greengrass_component.py builds from those that are here"),
)  # fmt: skip
"""All that the pages show and no test runs, as it begins, and why. What of it calls outhaul is held against the parser."""
_STAYS = r"outhaul (watch|web)\b|outhaul metrics .*--listen|outhaul-greengrass |c3 -n( +#|$)"
"""What goes on until it is ended: by SIGTERM here, as soon as it can hear it, and with code 0."""
_WHERE_INSTALLED = ("aws", "curl", "openssl", "zstd")
"""Programs of others, which the project does not install: a line that begins with one is run where it is there."""


def left_out(line: str) -> bool:
    """Whether this is none that is run here."""
    command = line.strip().removeprefix("$ ").removeprefix("sudo ")
    if any(re.match(pattern, command) for pattern, _ in NOT_HERE):
        return True
    return command.partition(" ")[0] in _WHERE_INSTALLED and shutil.which(command.partition(" ")[0]) is None


def script(lines: Sequence[str], before: Mapping[str, str], codes: Mapping[str, int]) -> Iterator[str]:
    """These lines, for `sh -eu`: the first that fails ends it. `before` is by how a command begins, `codes` by all of it."""
    for line in lines:
        command = line.strip()
        yield from (done for words, done in before.items() if command.startswith(words))
        if left_out(line):
            yield ":"
        elif re.match(_STAYS, command):
            yield f"stay {line}"
        elif code := codes.get(command.partition(" #")[0].rstrip()):
            yield f"code=0; {command.partition(' #')[0]} || code=$?; test $code = {code}"
        else:
            yield line
