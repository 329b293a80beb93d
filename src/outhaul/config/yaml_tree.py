"""YAML to a tree, with the line of each key. Imported only for YAML files; needs PyYAML.

Stricter than `yaml.safe_load`: no key twice, no aliases (a small file could grow without bound), no tags of its own.
"""

from __future__ import annotations

from typing import Any

import yaml

from outhaul.config.formats import Unreadable
from outhaul.config.places import Lines
from outhaul.config.wording import Where, dotted

_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")}


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise Unreadable("an alias (*) is not allowed here; write the value again", line)
        return super().compose_node(parent, index)


def yaml_tree(text: str) -> tuple[object, Lines]:
    """The tree and the lines of its keys and elements.

    Raises:
        formats.Unreadable: it is not YAML, or holds what is not allowed here.
        RecursionError: it is nested too deeply.
    """
    lines: Lines = {}
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return ({} if node is None else _value(loader, node, (), lines)), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(f"{error.problem or error.context}".split())
        raise Unreadable(f"is not YAML: {said}", mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise Unreadable(f"is not YAML: {' '.join(str(error).split())}") from None


def _value(loader: _Loader, node: yaml.Node, where: Where, lines: Lines) -> object:
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*where, index), lines) for index, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, where, lines)
    if node.tag not in _PLAIN_TAGS:
        raise Unreadable(f"{dotted(where)}: the tag {node.tag} is not allowed here", node.start_mark.line + 1)
    try:
        return loader.construct_object(node)
    except RecursionError:
        raise
    except Exception:  # PyYAML leaks the errors of int(), float(), date() and dict lookups.
        raise Unreadable(f"{dotted(where)}: a value that cannot be read", node.start_mark.line + 1) from None


def _mapping(loader: _Loader, node: yaml.MappingNode, where: Where, lines: Lines) -> dict[str, object]:
    tree: dict[str, object] = {}
    for key_node, child in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise Unreadable(f"{dotted(where)}: a key is a word, not a table or list".removeprefix(": "), line)
        key = str(key_node.value)
        if key in tree:
            raise Unreadable(f"{dotted((*where, key))}: stands twice; leave one out", line)
        lines[(*where, key)] = line
        tree[key] = _value(loader, child, (*where, key), lines)
    return tree
