"""A disk that runs full, as a user sees it: a small file system, a destination that is away, and what is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.program import Program
from faults.places import tmpfs

pytestmark = pytest.mark.slow
MIB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    with tmpfs(tmp_path / "small", 16 * MIB) as where:
        yield where


def configured(outhaul: Program, small: Path, disk: str) -> str:
    """A job whose destination refuses every connection, with four files of 3 MiB."""
    source = small / "in"
    source.mkdir()
    for number in range(1, 5):
        (source / f"{number}.mp4").write_bytes(bytes([number]) * 3 * MIB)
    path = outhaul.state.parent / "outhaul.toml"
    path.write_text(
        f'[[job]]\nname = "camera"\nsource = "{source}"\nto = "s3://bucket/p"\nendpoint-url = "http://127.0.0.1:9"\n'
        f'settle = {{ quiet = "0s" }}\n{disk}\n'
    )
    return str(path)


def test_files_are_given_up_and_told(outhaul: Program, small: Path) -> None:
    """As many as are missing, the oldest first; status, ls and why tell."""
    path = configured(outhaul, small, 'disk = { keep-free = "12MiB", shed-below = "8MiB" }')
    state = ("--state", str(outhaul.state))
    ran = outhaul("run", path, *state)
    assert ran.code == 4
    assert "camera: the disk is full: 2 files (6,291,456 bytes) given up, never carried, from 1.mp4 on" in ran.err
    assert "2 given-up: 2 removed without having been carried: the disk was full" in ran.err
    assert sorted(file.name for file in (small / "in").glob("*.mp4")) == ["3.mp4", "4.mp4"]
    status = outhaul("status", *state)
    assert (status.code, "2 files GIVEN UP, never carried (6.3 MB), the last " in status.out) == (0, True)
    assert "disk: 10.5 MB of 16.8 MB free\n" in status.out
    assert [event["given_up"] for event in outhaul("status", "--json", *state).events[:1]] == [2]
    told = outhaul("ls", "--given-up", "--json", *state).events
    assert [(row["path"], row["size"], row["outcome"]) for row in told] == [
        ("1.mp4", 3 * MIB, "shed"),
        ("2.mp4", 3 * MIB, "shed"),
    ]
    assert [line.split()[-1] for line in outhaul("ls", "2*", "--given-up", *state).out.splitlines()] == ["2.mp4"]
    assert "never carried: only 4.2 MB were free" in outhaul("why", str(small / "in" / "1.mp4"), *state).out


def test_nothing_is_given_up_unless_it_is_said(outhaul: Program, small: Path) -> None:
    """`keep-free` alone touches nothing that was not carried."""
    path = configured(outhaul, small, 'disk = { keep-free = "15MiB" }')
    outhaul("run", path, "--state", str(outhaul.state))
    assert len(list((small / "in").glob("*.mp4"))) == 4


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('disk = "2GiB"', 'disk: expected a table such as { keep-free = "2GiB" }, not "2GiB"'),
        ('disk = { shed-below = "1GiB" }', 'disk.keep-free: is missing; write keep-free = "2GiB"'),
        ('disk = { keep-free = "0" }', "disk.keep-free: expected a size above 0; leave it out for none"),
        ('disk = { keep-free = "2GiB", shed = 1 }', 'disk.shed: unknown key; the keys here are keep-free, shed-below'),
        ('disk = { keep-free = "2GiB", shed-below = "2GiB" }', "disk.shed-below: is as much as keep-free or more"),
        ('after = "keep"\ndisk = { keep-free = "2GiB", shed-below = "1GiB" }', "disk.shed-below: does not go with after"),
        ('group = "*"\ndisk = { keep-free = "2GiB", shed-below = "1GiB" }', "disk.shed-below: does not go with group"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it(outhaul: Program, small: Path, setting: str, expected: str) -> None:
    """One line, with what to write instead."""
    ran = outhaul("run", configured(outhaul, small, setting), "--state", str(outhaul.state))
    assert (ran.code, expected in ran.err) == (2, True), ran.err
