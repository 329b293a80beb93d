"""Plants a bug in the product for as long as a test needs it: an edit of one function's source, or another function.

The source of the function is normalised (`ast.unparse`: no comments, one layout), the edit is made there, and the result takes
the place of the function wherever it was imported. An edit that no longer applies is an error, not a mutant that survives.
"""

import ast
import functools
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

_SOURCE = "source_with_a_bug"


class Edit(NamedTuple):
    """One place."""

    where: str
    """'outhaul.stages.dispose:dispose' or 'outhaul.engine.rounds:Round._flush'."""
    old: str = ""
    """A piece of its normalised source."""
    new: str = ""
    instead: Callable[..., Any] | None = None
    """Another function in its place."""


@contextmanager
def planted(edits: Sequence[Edit]) -> Iterator[None]:
    """While this lasts, the bugs are there."""
    undo: list[tuple[Any, str, Any]] = []
    try:
        for edit in edits:
            owner, name = _owner(edit.where)
            old = inspect.getattr_static(owner, name)
            made = edit.instead or _edited(owner, old, edit)
            places = [(owner, name)] if inspect.isclass(owner) else _places(old)
            for place, called in places:
                undo.append((place, called, old))
                setattr(place, called, made)
        yield
    finally:
        for place, called, old in reversed(undo):
            setattr(place, called, old)


def _owner(where: str) -> tuple[Any, str]:
    module, _, path = where.partition(":")
    *classes, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for part in classes:
        owner = getattr(owner, part)
    return owner, name


def _edited(owner: Any, function: Any, edit: Edit) -> Any:
    source = getattr(function, _SOURCE, "") or _source(edit.where)
    wanted = ast.unparse(ast.parse(edit.old)) if _is_code(edit.old) else edit.old
    flat, piece = _lines(source), _lines(wanted)
    if piece not in flat:
        raise LookupError(f"{edit.where} has no {edit.old!r} any more; it now reads:\n{source}")
    within = wanted in source and "\n" not in edit.new
    whole = source.replace(wanted, edit.new) if within else _replaced(source, wanted, edit.new)
    namespace: dict[str, Any] = {}
    module = sys.modules[function.__module__]
    exec(compile(f"from __future__ import annotations\n{whole}", f"<{edit.where}>", "exec"), module.__dict__, namespace)
    made = namespace[edit.where.rpartition(":")[2].rpartition(".")[2]]
    setattr(made, _SOURCE, whole)  # For a second edit of the same function.
    return made


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def _source(where: str) -> str:
    module, _, path = where.partition(":")
    node: ast.AST = _tree(module)
    for part in path.split("."):
        node = next(
            inner
            for inner in ast.iter_child_nodes(node)
            if isinstance(inner, ast.FunctionDef | ast.ClassDef) and inner.name == part
        )
    return ast.unparse(node)


def read_ahead(edits: Sequence[Edit]) -> None:
    """Read the sources now: whoever works on them while a test runs would be planted as well."""
    for edit in edits:
        _tree(edit.where.partition(":")[0])


def _is_code(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def _replaced(source: str, old: str, new: str) -> str:
    """Several lines, wherever they are indented: the new ones get the indentation of the first."""
    lines, wanted = source.splitlines(), [line.strip() for line in old.splitlines()]
    for start in range(len(lines)):
        if [line.strip() for line in lines[start : start + len(wanted)]] == wanted:
            margin = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
            lines[start : start + len(wanted)] = textwrap.indent(textwrap.dedent(new), margin).splitlines()
            return "\n".join(lines)
    raise LookupError(old)


def _places(function: Any) -> list[tuple[Any, str]]:
    """Every module of the product, and of this package, that knows it, and by what name."""
    return [
        (module, name)
        for key, module in list(sys.modules.items())
        if key.split(".")[0] in ("outhaul", "simulation")
        for name, value in list(vars(module).items())
        if value is function
    ]
