"""A command line that is wrong is told in one line, with what was perhaps meant. What is right in it is not decided here."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """As argparse has it, but options are written in full: `--dry` may mean something else tomorrow, and scripts stay."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})
        self._commands: argparse._SubParsersAction[Parser] | None = None

    def add_subparsers(self, **settings: Any) -> argparse._SubParsersAction[Parser]:  # type: ignore[override]
        """As argparse has it."""
        self._commands = super().add_subparsers(**settings)
        return self._commands

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse has it; what is not known is refused by the command that it was written behind."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            self._refuse(left)
        return found, left

    def error(self, message: str) -> NoReturn:
        """Exit code 2 after one line: whoever wants the usage asks for --help."""
        from outhaul.model.keys import printable

        text = re.sub(r"^argument ", "", message)
        if missing := re.fullmatch(r"the following arguments are required: (.*)", text):
            text = f"{missing[1]} missing; {self.prog} --help says what to write"
        self.exit(2, printable(f"{self.prog}: {text}") + "\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if action is self._commands:
            self.error(f"'{value}' is no command; {_meant(value, action.choices) or f'{self.prog} --help lists them'}")
        raise argparse.ArgumentError(action, f"'{value}' is none of {', '.join(map(str, action.choices))}")

    def _refuse(self, left: list[str]) -> NoReturn:
        options = [word.partition("=")[0] for word in left if word.startswith("-") and word != "--"]
        if not options:
            self.error(f"'{left[0]}' is one argument too many; {self.prog} --help says what to write")
        option = options[0]
        commands = self._commands.choices.values() if self._commands else ()
        if any(option in command.options() for command in commands):
            self.error(f"{option} belongs behind the command")
        self.error(f"{option} is no option; {_meant(option, self.options()) or f'{self.prog} --help lists them'}")

    def options(self) -> list[str]:
        """The names of the options that --help shows."""
        return [name for action in self._actions if action.help != argparse.SUPPRESS for name in action.option_strings]


def _meant(word: str, known: Iterable[str]) -> str:
    import difflib

    found = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {found[0]}?" if found else ""
