"""Has outhaul itself write what belongs to it: the man page, the unit, the completion of bash."""

import os
import sys

import shtab

from outhaul.frontends.cli.main import build_parser
from outhaul.frontends.cli.man import page, today
from outhaul.frontends.cli.service_files import Service, daemon

CONFIG = "/etc/outhaul/outhaul.toml"
UNIT = """# For a configuration whose jobs change nothing on this machine (after = "keep"), and go to a store.
# `outhaul install-service` writes one to /etc/systemd/system, which takes the place of this, and may write where the jobs do.
"""


def main(debian: str) -> None:
    """Write them where debhelper looks for them."""
    unit = daemon(Service("/usr/bin/outhaul", CONFIG, "", "outhaul", [], of_others=True))
    unit = UNIT + unit.replace("\n\n", f"\nConditionPathExists={CONFIG}\nDocumentation=man:outhaul(1)\n\n", 1)
    texts = {"outhaul.1": page(build_parser(), today()), "outhaul.service": unit}
    texts["completions/outhaul"] = shtab.complete(build_parser(), "bash")
    for name, text in texts.items():
        os.makedirs(os.path.dirname(os.path.join(debian, name)), exist_ok=True)
        with open(os.path.join(debian, name), "w", encoding="utf-8") as file:
            file.write(text)


main(sys.argv[1])
