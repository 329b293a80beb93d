"""`python -m outhaul`."""

from outhaul.frontends.cli.main import entry

entry()
