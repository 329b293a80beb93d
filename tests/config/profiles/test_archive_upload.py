"""The configuration of archive-upload, and the jobs that it becomes."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from outhaul.config import formats
from outhaul.config.profiles import archive_upload, recognised
from outhaul.config.profiles.profile import Profiled, Surroundings, duration
from outhaul.config.profiles.reading import Old, named

HERE = Surroundings({}, "/home/pi", "/home/pi")
AFTER = {"archive": "/home/pi/archive", "form": "stored"}
WHOLE = """
log-level: DEBUG
directories:
  - directory: /home/pi/data
    file-patterns:
      - pattern: '*.csv'
      - pattern: 'raw/*.bin'
        finished-secs: 90.5
      - pattern: '**/*.dat'
        finished-secs: 0
    archive-dir: /home/pi/archive
    bucket-and-key: my-bucket/base/site
    delete-after: 1.5
  - directory: camera
    file-patterns:
      - pattern: '*'
    archive-dir: /home/pi/archive
    bucket-and-key: s3://my-bucket//camera/
    delete-after: 0
    owner: me
"""


def of(tmp_path: Path, text: str) -> Profiled:
    """What a text becomes."""
    path = tmp_path / "config.yaml"
    path.write_text(textwrap.dedent(text))
    return archive_upload.compile(formats.read(str(path)), HERE)


def test_the_whole_of_it(tmp_path: Path) -> None:
    """Every key and default, in the native form."""
    made = of(tmp_path, WHOLE)
    assert made.problems == []
    assert made.tree == {
        "job": [
            {
                "name": "data", "source": "/home/pi/data", "to": "s3://my-bucket/base/site", "key": "{name}",
                "include": ["/*.csv", "/raw/*.bin", "**/*.dat"],
                "settle": {"quiet": "0", "quiet-for": {"**/*.dat": "0", "/*.csv": "5s", "/raw/*.bin": "1m30s500ms"}},
                "compress": "bzip2", "after": {**AFTER, "keep": "1d12h"}, "region": "auto",
            },
            {
                "name": "camera", "source": "/home/pi/camera", "to": "s3://my-bucket/camera", "key": "{name}",
                "include": ["/*"], "temporary-names": True, "settle": {"quiet": "5s"}, "compress": "bzip2", "after": AFTER,
                "region": "auto",
            },
        ]
    }  # fmt: skip
    notes = [change.text for change in made.changes if change.where == ()]
    assert notes[2:] == [
        "line 20: directories[1].owner: has no meaning, and had none.",
        "directories[1].bucket-and-key: s3:// in front of the bucket is understood now; before, nothing arrived.",
    ]


def test_the_log(tmp_path: Path) -> None:
    """Where it goes, and how much: as before; small letters do too."""
    for text, expected in (
        ("directories: []", ("/home/pi/.archive-upload/log", "INFO")),
        ("log-file-dir: logs\nlog-level: warning\ndirectories: []", ("/home/pi/logs", "WARNING")),
    ):
        (tmp_path / "c.yaml").write_text(text)
        found = archive_upload.logs(Old(formats.read(str(tmp_path / "c.yaml")), HERE))
        assert (found.directory.replace(str(Path.home()), "/home/pi"), found.level) == expected


def entry(tmp_path: Path, **settings: Any) -> dict[str, Any]:
    """The job of one entry, some settings of which are others."""
    written = {
        "directory": "/d",
        "file-patterns": "[{pattern: '*.csv'}]",
        "archive-dir": "/a",
        "bucket-and-key": "bucket/k",
    }
    lines = "".join(f"    {key}: {value}\n" for key, value in (written | settings).items())
    made = of(tmp_path, "directories:\n  -\n" + lines)
    assert made.problems == []
    job: dict[str, Any] = made.tree["job"][0]
    return job


@pytest.mark.parametrize(
    ("key", "value", "of_job", "expected"),
    [
        ("delete-after", "null", "after", {"archive": "/a", "form": "stored"}),
        ("delete-after", "-1", "after", {"archive": "/a", "form": "stored"}),
        ("delete-after", "99999", "after", {"archive": "/a", "form": "stored"}),
        ("delete-after", "30", "after", {"archive": "/a", "form": "stored", "keep": "30d"}),
        ("file-patterns", "[{pattern: '*.a', finished-secs: -3}]", "settle", {"quiet": "0"}),
        ("file-patterns", "[{pattern: '*.a'}, {pattern: '*.b'}]", "settle", {"quiet": "5s"}),
        ("file-patterns", "[{pattern: '*.a', finished-secs: 9}, {pattern: '*.a', finished-secs: 1}]", "settle",
         {"quiet": "1s", "quiet-for": {"/*.a": "1s"}}),
        ("file-patterns", "[{pattern: './x//*.a'}]", "include", ["/x/*.a"]),
        ("bucket-and-key", "bucket", "to", "s3://bucket"),
    ],
)  # fmt: skip
def test_one_setting(tmp_path: Path, key: str, value: str, of_job: str, expected: object) -> None:
    """What it becomes."""
    assert entry(tmp_path, **{key: value})[of_job] == expected


def test_an_archive_in_the_directory_itself(tmp_path: Path) -> None:
    """Its copies are excluded, and that is said."""
    assert entry(tmp_path, **{"archive-dir": "/d"})["exclude"] == ["*.bz2", "*.bz2~*"]


def test_a_directory_listed_twice(tmp_path: Path) -> None:
    """To one place: one job. To two: two, and what the first includes the second excludes."""
    text = """
        directories:
          - {directory: /d, file-patterns: [{pattern: '*.a'}], archive-dir: /x, bucket-and-key: bucket/one}
          - {directory: /d, file-patterns: [{pattern: '*.b'}], archive-dir: /x, bucket-and-key: bucket/one}
          - {directory: /d, file-patterns: [{pattern: '*'}], archive-dir: /x, bucket-and-key: bucket/two}
    """
    jobs = of(tmp_path, text).tree["job"]
    assert [(job["to"], job["include"], job.get("exclude")) for job in jobs] == [
        ("s3://bucket/one", ["/*.a", "/*.b"], None),
        ("s3://bucket/two", ["/*"], ["/*.a", "/*.b"]),
    ]
    assert len({job["name"] for job in jobs}) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("directories: []", (1, "lists no directories; there is nothing to carry")),
        ("directories:\n  - 5", (2, "directories[0]: expected a table, not 5")),
        ("directories:\n  - {}", (2, "directories[0].directory: is missing; write directory: /home/pi/data")),
        ("directories:\n  - file-patterns: 5", (2, "directories[0].file-patterns: expected a list, not 5; it lists "
                                                  "what is to be carried")),
        ("directories:\n  - file-patterns: []", (2, "directories[0].file-patterns: lists no patterns, so that nothing would be "
                                                    "carried; write - pattern: '*.csv'")),
        ("directories:\n  - file-patterns:\n      - pattern: x\n        finished-secs:",
         (4, "directories[0].file-patterns[0].finished-secs: expected a number such as 5, not nothing")),
        ("directories:\n  - file-patterns:\n      - pattern: '/x/*'",
         (3, 'directories[0].file-patterns[0].pattern: "/x/*" leads out of the directory; list that directory as one of its '
             'own')),
        ("directories:\n  - file-patterns:\n      - pattern: 'a/**'",
         (3, 'directories[0].file-patterns[0].pattern: "a/**" matches directories only; write "a/**/*"')),
        ("directories:\n  - file-patterns:\n      - pattern: 'a**/x'",
         (3, 'directories[0].file-patterns[0].pattern: "a**/x" cannot be read: ** stands alone between two /')),
        ("directories:\n  - delete-after: soon", (2, 'directories[0].delete-after: expected a number such as 30, not "soon"')),
        ("directories:\n  - directory: [1]", (2, "directories[0].directory: expected a text such as /home/pi/data, not an "
                                                "array")),
        ("directories:\n  - bucket-and-key: 'b b/x'",
         (2, 'directories[0].bucket-and-key: "b b/x" begins with no name of a bucket; write my-bucket/base/key')),
        ("log-level: 5\ndirectories: []", (1, "log-level: expected a text such as INFO, not 5")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, expected: tuple[int, str]) -> None:
    """And nothing is run."""
    made = of(tmp_path, text)
    assert expected in made.problems
    assert made.tree == {"job": []}


def test_two_archives_for_one_place(tmp_path: Path) -> None:
    """That cannot be said in one job."""
    made = of(tmp_path, """
        directories:
          - {directory: /d, file-patterns: [{pattern: '*.a'}], archive-dir: /x, bucket-and-key: bucket/one}
          - {directory: /d, file-patterns: [{pattern: '*.b'}], archive-dir: /y, bucket-and-key: bucket/one}
    """)  # fmt: skip
    assert made.problems == [
        (4, "directories[1]: goes to s3://bucket/one as directories[0] does, but has another archive-dir or delete-after; "
            "write the same for both")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tree", "program"),
    [({"directories": []}, "archive-upload"), ({"job": [], "directories": []}, None), ([], None), ({}, None)],
)
def test_it_is_recognised_by_its_content(tree: object, program: str | None) -> None:
    """And a native file is none of the older ones."""
    found = recognised(tree)
    assert (found.program if found else None) == program


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0"), (5, "5s"), (0.0001, "1ms"), (90_061.5, "1d1h1m1s500ms"), (86_400, "1d")]
)
def test_durations(seconds: float, expected: str) -> None:
    """In the native form, rounded up."""
    assert duration(seconds) == expected


def test_names_of_jobs() -> None:
    """The last part of the directory; digits where several have the same."""
    found = named([("/a/data", "1"), ("/b/data", "2"), ("/c/My Files", "3"), ("/", "4")])
    assert [name[:5] for name in found] == ["data-", "data-", "My-Fi", "root"]
    assert (len(set(found)), found[2]) == (4, "My-Files")
