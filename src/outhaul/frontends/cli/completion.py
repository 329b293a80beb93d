"""Completion scripts, made from the parser itself by shtab."""

from __future__ import annotations

import argparse


def completion(options: argparse.Namespace) -> int:
    """Print the script for a shell."""
    import shtab

    from outhaul.frontends.cli.main import build_parser

    print(shtab.complete(build_parser(), options.shell))
    return 0
