"""Which receipts are meant: by path, job, time, key and digest. Pure; the ledger and the command line both speak of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from outhaul.model.patterns import compile_patterns


class Selection(NamedTuple):
    """What receipts are asked for; a field that says nothing asks for all."""

    job: str = ""
    what: tuple[str, ...] = ()
    """Paths, directories and patterns, of which one must fit; see `Chooser`."""
    key: str = ""
    """The whole key, or the address of the object: s3://bucket/key."""
    prefix: str = ""
    """What the key begins with; an address as well."""
    sha256: str = ""
    """Hexadecimal digits that the digest begins with."""
    since_ns: int = 0
    until_ns: int = 0
    """With the one before: when it was recorded. 0 is any time."""


class Chooser:
    """Tells whether a file of a source is meant by one of several words, and which word has met nothing so far.

    A word is the path of a file or a directory, absolute or relative to the source, or a pattern as jobs have them.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._tests = [(word, _test(word)) for word in words]
        self.unmatched = dict.fromkeys(words)

    def __call__(self, source: str, path: str) -> bool:
        """Whether this file is meant."""
        if not self._tests:
            return True
        found = [word for word, test in self._tests if test(source, path)]
        for word in found:
            self.unmatched.pop(word, None)
        return bool(found)


def _test(word: str) -> Callable[[str, str], bool]:
    plain = word.rstrip("/") or "/"
    beneath = plain.rstrip("/") + "/"
    matches = compile_patterns((word.strip("/"),)) or (lambda _: False)
    if word.startswith("/"):

        def whole(source: str, path: str) -> bool:
            full = f"{source.rstrip('/')}/{path}"
            return full == plain or full.startswith(beneath) or matches(full[1:])

        return whole
    return lambda _, path: path == plain or path.startswith(beneath) or matches(path)
