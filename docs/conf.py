"""The site is built from the pages as they are: Sphinx with MyST and Furo, from the directory of the project.

Every page is a page of a code host, too, so nothing here needs a syntax of its own: the table of contents and the options of the
commands are put in while it is built. Every warning is an error (`./dev docs`), and no page asks another host for anything.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from sphinx.application import Sphinx

from outhaul.frontends.cli.main import VERSION, build_parser

project = "outhaul"
author = "The outhaul authors"
version = release = VERSION
extensions = ["myst_parser"]
root_doc = "docs/index"
# Pages that others link to are part of the site: the links are the same here and on a code host.
include_patterns = ["docs/**.md", "CHANGELOG.md", "bench/README.md", "bench/losses/README.md", "greengrass/README.md"]
exclude_patterns = [".*", "src", "tests", "build", "dist"]
nitpicky = True
myst_heading_anchors = 4
highlight_language = "text"
smartquotes = False  # An option is --like-this.
html_theme = "furo"
html_title = f"outhaul {VERSION}"
html_extra_path = ["_site"]
html_copy_source = False
html_show_copyright = False

_CONTENTS: dict[str, list[str]] = {
    "Start": ["tutorial"],
    "Guides": [
        *(f"guides/{name}" for name in ("raspberry-pi", "camera", "scraper", "log-archive", "instrument", "backup", "stores")),
        "guides/usb-stick",
        "guides/unattended",
        "big-trees",
        "knowing",
        "web",
        "installing",
        "permissions",
        "restoring",
        "fleet",
        "coming-from/*",
    ],
    "Reference": ["configuration", "commands", "metrics", "format"],
    "Trust": ["safety", "hazards", "performance", "ARCHITECTURE", "decisions/*"],
    "Project": ["/CHANGELOG", "/bench/README", "/bench/losses/README", "/greengrass/README"],
}  # fmt: skip


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _complete)


def _complete(_: Sphinx, name: str, source: list[str]) -> None:
    """Give two pages what is made and not written."""
    if name == root_doc:
        source[0] += "\n".join(_contents())
    elif name == "docs/commands":
        source[0] += "\n".join(_commands(build_parser()))


def _contents() -> Iterator[str]:
    for caption, pages in _CONTENTS.items():
        yield from ("", "```{toctree}", ":hidden:", ":glob:", f":caption: {caption}", "", *pages, "```", "")


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Each command: what it does, its options, its example; from what `--help` is made of."""
    yield "\n## All commands\n"
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        shown = [action for action in command._actions if action.dest != "help" and action.help != argparse.SUPPRESS]
        words = [f"{action.metavar or action.dest}" for action in shown if not action.option_strings]
        usage = " ".join(["outhaul", name, "[options]", *words])
        yield from (f"### {name}\n", f"{command.description}\n", "```text", usage, "```\n")
        yield from ("| option | meaning |", "|---|---|", *(_row(action) for action in shown), "")
        if command.epilog:
            yield from ("```text", command.epilog.partition(":\n")[2], "```\n")


def _row(action: argparse.Action) -> str:
    value = action.metavar or "|".join(map(str, action.choices or ()))
    names = ", ".join(action.option_strings)
    name = f"{names} {value}" if names and value and action.nargs != 0 else names or str(value)
    text = (action.help or "").replace("%%", "%")
    return f"| `{_cell(name)}` | {_cell(text)} |"


def _cell(text: str) -> str:
    """Text in a table; what looks like markup is none."""
    return (
        text.replace("|", "\\|").replace("*", "\\*").replace("<", "\\<")
        if "`" not in text
        else text.replace("|", "\\|")
    )
