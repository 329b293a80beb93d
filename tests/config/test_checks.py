"""Jobs against each other and against the machine."""

from pathlib import Path

import pytest

from outhaul.config.checks import problems
from outhaul.config.kinship import Family, parse_mounts
from outhaul.model.address import destination
from outhaul.model.job import Job

APART = "keep them apart, or files would be carried in circles"
ONE_JOB = "a file belongs to one job only: give each job a directory of its own"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A place with directories a, a/b, c, a file f, a link to a, and one to a/b."""
    for name in ("a/b", "c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "f").touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "c" / "deep").symlink_to("../a/b")
    return tmp_path


def said(base: Path, *rules: tuple[str, str], state: str = "state", one_off: bool = False) -> list[str]:
    """What is said of jobs j0, j1 ... with these sources and destinations, with the place as /base."""
    jobs = [
        Job(f"j{index}", str(base / source), destination(to, lambda path: str(base / path)), one_off=one_off)
        for index, (source, to) in enumerate(rules)
    ]
    return [line.replace(str(base), "/base") for line in problems(jobs, str(base / state))]


@pytest.mark.parametrize(
    ("source", "to", "expected"),
    [
        (
            "s3://bucket/x",
            "y",
            "source: a source is a directory of this machine, and no bucket; outhaul restore or outhaul "
            "mirror fetches from one",
        ),
        ("x", "s3://bucket", "source: /base/x does not exist; make it, or correct the path"),
        ("f", "s3://bucket", "source: /base/f is not a directory; write the directory that holds the files"),
        ("f/x", "s3://bucket", "source: /base/f/x cannot be reached (Not a directory); correct the path or the rights"),
        ("link", "s3://bucket", "source: /base/link is a symbolic link; write the directory that it leads to, /base/a"),
        ("a", "f", "to: /base/f is not a directory; write a directory"),
        ("a", "x/y", "to: /base/x does not exist; make it or mount it, or correct the path"),
        ("a", "f/y", "to: /base/f/y cannot be reached (Not a directory); correct the path or the rights"),
        ("a", "a/out", f"to: /base/a/out lies in /base/a, the source of the same job; {APART}"),
        ("a", "link/b/out", f"to: /base/link/b/out lies in /base/a, the source of the same job; {APART}"),
        ("a", "a", f"to: /base/a is /base/a, the source of the same job; {APART}"),
        ("a/b", "a", f"source: /base/a/b lies in /base/a, the destination of the same job; {APART}"),
    ],
)
def test_one_job_on_this_machine(base: Path, source: str, to: str, expected: str) -> None:
    """A source is a directory that exists; a destination directory can be made, and lies apart from it."""
    assert [f'job "j0": {expected}'] == said(base, (source, to))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("a", "s3://bucket"), ("a", "s3://bucket"),
         'job "j1": source: /base/a goes to s3://bucket in job "j0" too; remove one of them'),
        (("a", "s3://bucket"), ("a", "s3://other"),
         f'job "j1": source: /base/a is /base/a, the source of job "j0"; {ONE_JOB}'),
        (("a", "s3://bucket"), ("a/b", "s3://other"),
         f'job "j1": source: /base/a/b lies in /base/a, the source of job "j0"; {ONE_JOB}'),
        (("a/b", "s3://bucket"), ("a", "s3://other"),
         f'job "j0": source: /base/a/b lies in /base/a, the source of job "j1"; {ONE_JOB}'),
        (("a", "s3://bucket"), ("link/b", "s3://other"),
         f'job "j1": source: /base/link/b lies in /base/a, the source of job "j0"; {ONE_JOB}'),
        (("a", "c/out"), ("c", "s3://bucket"),
         f'job "j0": to: /base/c/out lies in /base/c, the source of job "j1"; {APART}'),
        (("a/b", "s3://bucket"), ("c", "a"),
         f'job "j0": source: /base/a/b lies in /base/a, the destination of job "j1"; {APART}'),
    ],
)  # fmt: skip
def test_two_jobs_keep_apart(base: Path, first: tuple[str, str], second: tuple[str, str], expected: str) -> None:
    """No file belongs to two jobs and none is carried in circles; both jobs are named."""
    assert [expected] == said(base, first, second)


@pytest.mark.parametrize(
    ("source", "state", "expected"),
    [
        ("a", "a/b/state", "/base/a contains the state directory /base/a/b/state"),
        ("a", "c/deep/state", "/base/a contains the state directory /base/a/b/state"),
        ("a", "a", "/base/a contains the state directory /base/a"),
        ("a/b", "link", "/base/a/b lies in the state directory /base/a"),
    ],
)
def test_state_and_sources_keep_apart(base: Path, source: str, state: str, expected: str) -> None:
    """outhaul never carries its own ledger and private files; a link on the way does not hide it."""
    assert [f'job "j0": source: {expected}; keep the state elsewhere (--state DIR)'] == said(
        base, (source, "s3://bucket"), state=state
    )


def test_jobs_that_keep_apart_are_silent(base: Path) -> None:
    """Neighbours, several jobs to one destination and names that begin alike are fine."""
    (base / "ab").mkdir()
    assert said(base, ("a", "out"), ("c", "out"), ("ab", "s3://bucket")) == []


def test_a_one_off_job_is_named_by_its_argument(base: Path) -> None:
    """`move` and `copy` have no job name: the messages name the argument."""
    expected = ["SOURCE: /base/x does not exist; make it, or correct the path"]
    assert expected == said(base, ("x", "s3://bucket"), one_off=True)


def test_an_unreadable_source_is_said(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that may not be listed is found before the run."""
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_, **__: False)
        found = said(base, ("a", "s3://bucket"))
    expected = ['job "j0": source: /base/a may not be read by this user; give it the rights to list and enter it']
    assert expected == found


def test_a_bind_mount_is_seen_through_by_inode(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two paths with one device and inode are one directory, though no link leads from one to the other."""
    (base / "mounted" / "b").mkdir(parents=True)
    real = Family._inode
    monkeypatch.setattr(Family, "_inode", lambda family, path: real(family, path.replace("/mounted", "/a")))
    expected = [
        f'job "j1": source: /base/mounted is /base/a, the source of job "j0"; {ONE_JOB}',
        f'job "j2": source: /base/mounted/b lies in /base/mounted, the source of job "j1"; {ONE_JOB}',
    ]
    assert expected == said(base, ("a", "s3://b-1"), ("mounted", "s3://b-2"), ("mounted/b", "s3://b-3"))
    expected = [f'job "j1": source: /base/mounted/b lies in /base/a, the source of job "j0"; {ONE_JOB}']
    assert expected == said(base, ("a", "s3://b-1"), ("mounted/b", "s3://b-2"))


MOUNTS = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 8:1 {base}/a/b {base}/mounted\\040here rw - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize(
    ("source", "real_place", "expected"),
    [
        ("mounted here", "a/b", [f'job "j1": source: /base/mounted here lies in /base/a, the source of job "j0"; {ONE_JOB}']),
        ("mounted here/x", "a/b", [f'job "j1": source: /base/mounted here/x lies in /base/a, the source of job "j0"; {ONE_JOB}']),
        ("mounted here", "c", []),
    ],
)  # fmt: skip
def test_a_bind_mount_of_a_directory_beneath(
    base: Path, monkeypatch: pytest.MonkeyPatch, source: str, real_place: str, expected: list[str]
) -> None:
    """A mount of a/b elsewhere lies in a, by its place in the file system; unless the inode there says otherwise."""
    for name in ("a/b/x", "c/x", "mounted here/x"):
        (base / name).mkdir(parents=True)
    real = Family._inode
    monkeypatch.setattr(
        Family, "_inode", lambda family, path: real(family, path.replace("/mounted here", f"/{real_place}"))
    )
    mounts = parse_mounts(MOUNTS.format(base=base))
    monkeypatch.setattr("outhaul.config.kinship._read_mounts", lambda: mounts)
    assert expected == said(base, ("a", "s3://bucket"), (source, "s3://other"))


def test_mounts_are_parsed() -> None:
    """Mount points and roots are unescaped; a later mount hides an earlier one."""
    text = MOUNTS.format(base="/x") + "31 22 0:9 / /x/mounted\\040here rw - tmpfs t rw\nshort line\n"
    assert parse_mounts(text) == {"/": ("8:1", "/"), "/x/mounted here": ("0:9", "/")}
