"""Files: the three formats, how they are told apart, and files that cannot be read."""

import subprocess
import sys
from pathlib import Path

import pytest

import outhaul
from config.writing import HEAD, jobs_of, lines_of, write
from outhaul.config.formats import SIZE_MAX, kind_of
from outhaul.config.places import looked_up, toml_lines
from outhaul.config.wording import Where

YAML = "job:\n  - name: a\n    source: data\n    to: s3://bucket/prefix\n"
JSON = '{"job": [\n{"name": "a", "source": "data",\n "to": "s3://bucket/prefix"}\n]}'


@pytest.mark.parametrize("name", ["outhaul.conf", "outhaul"])
@pytest.mark.parametrize("text", [YAML, JSON, "\ufeff" + JSON, "---\n" + YAML, HEAD.replace("\n", "\r\n")])
def test_one_tree_in_three_formats(tmp_path: Path, text: str, name: str) -> None:
    """TOML, YAML and JSON of the same tree give the same jobs; without a suffix the beginning tells."""
    assert jobs_of(tmp_path, HEAD) == jobs_of(tmp_path, text, name)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.toml", "{", "toml"),
        ("a.YML", "", "yaml"),
        ("a.yaml", "", "yaml"),
        ("a.json", "a: 1", "json"),
        ("a", "# a: b\n\n[[job]]", "toml"),
        ("a", 'region = "a: b"', "toml"),
        ("a", "# x\nregion: b", "yaml"),
        ("a", "", "toml"),
    ],
)
def test_the_suffix_or_the_beginning_tells_the_format(path: str, text: str, expected: str) -> None:
    """The suffix wins; comments are passed over."""
    assert expected == kind_of(path, text)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("o.toml", "[[job]]\nname = weather\n", "o.toml:2: is not TOML: Invalid value; text stands in quotes"),
        ("o.toml", "a = { b = 5m }", "o.toml:1: is not TOML: Unclosed inline table; text stands in quotes"),
        ("o.toml", "a = [*.csv]\nb = 1", "o.toml:1: is not TOML: Invalid value; text stands in quotes"),
        ("o.toml", "a = 1 b\nc = 2", "o.toml:1: is not TOML: Expected newline or end of document after a statement"),
        ("o.toml", 'a = "', "o.toml: is not TOML: Unterminated string"),
        ("o.toml", "a = 1\na = 2\nb = 1", "o.toml:2: is not TOML: Cannot overwrite a value: a key or table stands twice"),
        ("o.toml", "a = " + "[" * 16_000, "o.toml: is nested too deeply"),
        ("o.toml", "x = 1\na" + ".a" * 100_000 + " = 1", "o.toml:2: is longer than 16384 characters in one line; "
         "break the line"),
        ("o.toml", b"a = 1\nb = '\xff'", "o.toml:2: is not UTF-8 (byte 0xff); save it as UTF-8"),
        ("o.toml", b"#" * (SIZE_MAX + 1), "o.toml: is larger than 1 MiB, so it is no configuration"),
        ("o.json", '{\n"a": }', "o.json:2: is not JSON: Expecting value"),
        ("o.json", '{"a": NaN}', "o.json: is not JSON: NaN is no value"),
        ("o.json", '{"job":\n[{"name": "a",\n"name": "b"}]}', "o.json:3: job[0].name: stands twice; leave one out"),
        ("o.json", "[" * 100_000, "o.json: is nested too deeply"),
        ("o.json", "[]", "o.json:1: expected a table that holds job, not an array"),
        ("o.yaml", "a: [\n", "o.yaml:2: is not YAML: expected the node content, but found '<stream end>'"),
        ("o.yaml", "job:\n  - name: a\n    name: b\n", "o.yaml:3: job[0].name: stands twice; leave one out"),
        ("o.yaml", "a: &x 1\nb: *x\n", "o.yaml:2: an alias (*) is not allowed here; write the value again"),
        ("o.yaml", "a: !!python/name:os.system\n", "o.yaml:1: a: the tag tag:yaml.org,2002:python/name:os.system is not "
         "allowed here"),
        ("o.yaml", "a: 2020-13-45\n", "o.yaml:1: a: a value that cannot be read"),
        ("o.yaml", "? [a]\n: 1\n", "o.yaml:1: a key is a word, not a table or list"),
        ("o.yaml", "a: 1\n---\nb: 2\n", "o.yaml:2: is not YAML: but found another document"),
        ("o.yaml", "[" * 100_000, "o.yaml: is nested too deeply"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: str | bytes, expected: str) -> None:
    """Syntax, encoding, size, depth, keys that stand twice: the file, the line where it is known, never a traceback."""
    assert [expected] == lines_of(tmp_path, content, name)


def test_a_path_that_is_no_file_is_one_line(tmp_path: Path) -> None:
    """Missing files and directories are named with the reason."""
    (tmp_path / "folder.toml").mkdir()
    from outhaul.config.native import load
    from outhaul.model.errors import ConfigurationError

    said = []
    for name in ("none.toml", "folder.toml", "a\0b"):
        with pytest.raises(ConfigurationError) as raised:
            load(f"{tmp_path}/{name}", state="/state")
        said += [problem.replace(str(tmp_path), "") for problem in raised.value.problems]
    assert said == [
        "/none.toml: cannot be read: No such file or directory",
        "/folder.toml: is a directory; name the configuration file in it",
        "/a\\x00b: cannot be read: embedded null byte",
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("o.yaml", YAML + "    settle: {quiet: 1:30}\n", '5: job "a": settle.quiet: expected a duration such as "30m", not 90'),
        ("o.yaml", YAML.replace("name: a", "name: no"), "2: job[0].name: expected 1 to 64 letters, digits, '.', '_' or "
         "'-', not false"),
        ("o.yaml", YAML + "    include:\n", '5: job "a": include: expected an array of patterns such as ["**/*.csv"], '
         "not nothing"),
        ("o.yaml", YAML + "    exclude:\n    - a\n    - 7\n", '7: job "a": exclude[1]: expected a pattern such as '
         '"**/*.csv", not 7'),
        ("o.json", JSON.replace('"to":', '"after": 1, "to":'), '3: job "a": after: expected "delete", "keep", '
         '{ archive = "/directory" } or { delete-after = "30d" }, not 1'),
        ("o.json", JSON.replace('"to"', '"too"').replace('"data"', '7'), '2: job "a": source: expected a string such as '
         '"/directory/of/files", not 7'),
    ],
)  # fmt: skip
def test_problems_in_yaml_and_json_have_lines(tmp_path: Path, name: str, text: str, expected: str) -> None:
    """The same problems are said of each format, with the line of the key."""
    assert f"{name}:{expected}" in lines_of(tmp_path, text, name)


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("a = 1\n[b]\n# c = 2\nc = 2", ("b", "c"), 4),
        ("[[job]]\n[[job]]\nx = 1", ("job", 1, "x"), 3),
        ("[[job]]\n[job.settle]\nx = 1\n[[job]]\n[job.settle]\nx = 1", ("job", 1, "settle", "x"), 6),
        ('[[job]]\na = """\n[[job]]\n"""\nb = 1', ("job", 0, "b"), 5),
        ("[[job]]\na = '''\nx = ''''\nb = 1", ("job", 0, "b"), 4),
        ("a = [\n  1, # ]\n  { b = 2 },\n]\nc = 1", ("c",), 5),
        ("a = [\n  1,\n  2,\n]", ("a", 1), 0),
        ("a = [\n  1,\n  2,\n]", ("a",), 1),
        ("a = [1, 2]", ("a", 1), 1),
        ("[[job]]\na = 1", ("job", 0, "missing"), 1),
        ("\"a b\".c = 1\n'd'.e = 2", ("d", "e"), 2),
        ('"\\u0061" = 1\nb = 2', ("b",), 0),
        ("job = [{ a = 1 },\n { a = 2 }]", ("job", 1, "a"), 0),
        ("a.b.c = 1", ("a", "b", "x"), 1),
    ],
)
def test_a_toml_line_is_right_or_not_given(text: str, where: Where, expected: int) -> None:
    """The locator understands headers, dotted keys, strings and arrays over several lines; else it says 0."""
    assert expected == looked_up(toml_lines(text), where)


def test_reading_toml_imports_little(tmp_path: Path) -> None:
    """A right TOML file is read without what takes long to import: start-up time is a promise."""
    path = write(tmp_path, HEAD)
    program = (
        f"import sys; sys.path.insert(0, {str(Path(outhaul.__file__).parents[1])!r})\n"
        "from outhaul.config.native import load\n"
        f"load({str(path)!r}, state='/no/such/state')\n"
        "print(*sorted({'yaml', 'json', 'dataclasses', 'pathlib', 'inspect', 'difflib', 'urllib', 'urllib.parse',"
        " 'outhaul.ports'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""
