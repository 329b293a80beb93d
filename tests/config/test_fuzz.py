"""Whatever is in the file: jobs, or problems of one line each."""

import json
import tempfile
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.trees import anything, trees
from outhaul.config.keys import label, parse
from outhaul.config.native import load
from outhaul.config.paths import absolute_from
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.keys import printable


@given(trees)
def test_any_tree_is_jobs_or_problems(tree: Any) -> None:
    """Every table of the array becomes a job, or at least one problem; no other error."""
    jobs, problems, *_ = parse(tree, absolute_from("/base"))
    assert all(isinstance(job, Job) for job in jobs) or problems
    assert [label(problem) for problem in problems if not label(problem).strip()] == []


def outcome(content: bytes, suffix: str) -> list[Job] | tuple[str, ...]:
    """What `load` makes of a file with this content."""
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(content)
        file.flush()
        try:
            return load(file.name, state="/no/such/state")
        except ConfigurationError as error:
            return error.problems


SUFFIXES = ("", ".toml", ".yaml", ".json")
PIECES = st.sampled_from(
    ['[[job]]\n', "[job]\n", 'name = "a"\n', "name: a\n", "- ", "  ", "job:", "{", "}", "[", "]", '"', "'", '"""', "=", ",", "\n",
     "\t", "&a ", "*a", "!!int x", "<<: ", "1", "2020-01-01", "\\", "#", "0x", "1e999", "\x00", "\ufeff", "\u2028", "?"]
)  # fmt: skip

CONTENT = st.binary(max_size=60) | st.lists(PIECES | st.text(max_size=3), max_size=25).map(
    lambda parts: "".join(parts).encode("utf-8", "replace")
)


@settings(max_examples=200, deadline=None)
@given(CONTENT, st.sampled_from(SUFFIXES))
@example(b"a: !!bool x", ".yaml")
@example(b"a: !!timestamp x", ".yaml")
@example(b"a: !!binary =", ".yaml")
@example(b"a: =", ".yaml")
@example(b"<<: {a: 1}", ".yaml")
@example(b'{"a": ' + b"1" * 5000 + b"}", ".json")
@example(b"a = " + b"1" * 5000, ".toml")
@example(b"a: " + b"1" * 5000, ".yaml")
@example(b'{"\\ud800": 1}', ".json")
@example(b"a = 0x" + b"f" * 9000, ".toml")
def test_any_bytes_are_jobs_or_lines(content: bytes, suffix: str) -> None:
    """Problems are printable lines; there is at least one, or at least one job."""
    found = outcome(content, suffix)
    assert len(found) > 0
    if isinstance(found, tuple):
        assert [printable(line) for line in found] == list(found)
        assert all(line.isprintable() for line in found)


@settings(max_examples=100, deadline=None)
@given(trees | anything)
@pytest.mark.parametrize(("suffix", "write"), [(".json", json.dumps), (".yaml", yaml.safe_dump)])
def test_any_tree_in_a_file_is_jobs_or_lines(suffix: str, write: Any, tree: Any) -> None:
    """The same holds for well-formed files of every content."""
    assert len(outcome(write(tree).encode("utf-8", "replace"), suffix)) > 0
