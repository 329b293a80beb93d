"""Digests side by side are those of hashlib, whatever the lengths, the width of the processor and what was built."""

import hashlib
import math
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outhaul.host import digests
from outhaul.host.digests import LIBRARY, Built, SideBySide, worth_it
from outhaul.ports.digests import ONE_BY_ONE, Digests

SOURCE = Path(LIBRARY).parent / "digests.c"
COMPILER = shutil.which("cc")
HARNESS = """
#include <stdio.h>
#include <stdlib.h>
#include "digests.c"

/* Each message in memory of exactly its length, read from standard input: count, then lengths, then bytes. */
int main(void)
{
    size_t count, lengths[64];
    uint8_t *data[64], *out;
    if (fread(&count, sizeof count, 1, stdin) != 1 || fread(lengths, sizeof *lengths, count, stdin) != count)
        return 2;
    for (size_t i = 0; i < count; i++)
        if (fread(data[i] = malloc(lengths[i]), 1, lengths[i], stdin) != lengths[i])
            return 2;
    out = malloc(count * 32);
    outhaul_md5((const uint8_t *const *)data, lengths, count, out);
    fwrite(out, 16, count, stdout);
    outhaul_sha256((const uint8_t *const *)data, lengths, count, out);
    fwrite(out, 32, count, stdout);
    for (size_t i = 0; i < count; i++)
        free(data[i]);
    free(out);
    return 0;
}
"""
built = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler: what makes digests faster is not built")


def compiled(path: Path, *options: str, source: Path = SOURCE) -> Path:
    """What the compiler makes of digests.c, or of another file."""
    assert COMPILER
    named = (f"-I{SOURCE.parent}", "-o", str(path), str(source))
    command = [COMPILER, "-std=gnu11", "-Wall", "-Wextra", "-Werror", *options, *named]
    subprocess.run(command, check=True, capture_output=True)
    return path


def bodies_of(lengths: list[int], seed: int = 0) -> list[bytes]:
    """Some of these lengths; the same for the same seed."""
    chance = random.Random(seed)
    return [chance.randbytes(length) for length in lengths]


def is_right(found: Digests | Built, bodies: list[bytes]) -> None:
    """Both digests of each, in order."""
    assert found.md5(bodies) == [hashlib.md5(body).digest() for body in bodies]
    assert found.sha256(bodies) == [hashlib.sha256(body).digest() for body in bodies]


@built
def test_it_is_built_where_there_is_a_compiler() -> None:
    """The project's own install compiles it: the tests below are of what users run."""
    assert Path(LIBRARY).exists()
    found = SideBySide()
    assert all(cost < math.inf for cost in found.costs().values())
    assert not found.gains("md5", 1)  # A lane is slower than the whole processor.


@built
def test_known_answers() -> None:
    """RFC 1321, A.5, and the example of FIPS 180-4 with one block."""
    found = Built(LIBRARY)
    assert found.md5([b"", b"abc", b"message digest"]) == [
        bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e"),
        bytes.fromhex("900150983cd24fb0d6963f7d28e17f72"),
        bytes.fromhex("f96b697d7cb7938d525a2f31aaf161d0"),
    ]
    assert found.sha256([b"abc"]) == [bytes.fromhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    assert found.md5([]) == found.sha256([]) == []


@built
@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.integers(0, 700) | st.sampled_from([55, 56, 63, 64, 65, 119, 120, 128, 4096]), max_size=40),
    st.integers(),
)
def test_any_lengths(lengths: list[int], seed: int) -> None:
    """Lanes that end are given what is next, and those that are left over are nobody's."""
    is_right(Built(LIBRARY), bodies_of(lengths, seed))


@built
@pytest.mark.parametrize(("lanes", "needs"), [(4, ""), (8, "avx2"), (16, "avx512vl")])
def test_every_width(tmp_path: Path, lanes: int, needs: str) -> None:
    """Whichever this processor would take by itself."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if lanes == 16 and "x86_64" not in subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout:
        pytest.skip("only x86-64 has vectors of sixteen")
    if "flags" in told and needs not in told:
        pytest.skip(f"the processor has no {needs}")
    found = Built(str(compiled(tmp_path / "lanes.so", "-O1", "-shared", "-fPIC", f"-DLANES_ALWAYS={lanes}")))
    for count in (1, 3, 4, 5, 8, 9, 16, 17, 33):
        is_right(found, bodies_of([(number * 37) % 300 for number in range(count)], count))


@built
def test_nothing_else_is_read_or_written(tmp_path: Path) -> None:
    """Messages that end where their memory ends, under the address and the undefined behaviour sanitizers."""
    source = tmp_path / "harness.c"
    source.write_text(HARNESS)
    try:
        program = compiled(tmp_path / "harness", "-g", "-O1", "-fsanitize=address,undefined", source=source)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no sanitizers: {error.stderr[-100:]!r}")
    for count in (1, 5, 8, 16, 40):
        bodies = bodies_of([(number * 53) % 400 for number in range(count)], count)
        told = b"".join(number.to_bytes(8, "little") for number in [count, *map(len, bodies)]) + b"".join(bodies)
        shown = subprocess.run([program], input=told, capture_output=True, check=False)
        assert (shown.stderr, shown.returncode) == (b"", 0)
        assert shown.stdout == b"".join(ONE_BY_ONE.md5(bodies) + ONE_BY_ONE.sha256(bodies))


@pytest.mark.parametrize(
    "lengths", [[1 << 20] * 5, [8 << 20, *[70_000] * 9], [300_000, 0, 300_001, 64], [4096] * 100, [0] * 9]
)
def test_what_is_used_is_right(lengths: list[int]) -> None:
    """Whether together or alone, each digest comes back in its place."""
    is_right(SideBySide(), bodies_of(lengths))


@built
def test_what_gives_a_wrong_digest_is_not_used(tmp_path: Path) -> None:
    """A compiler, or a processor, that makes a mistake is found out before the first use; hashlib does the work."""
    source = tmp_path / "digests.c"
    source.write_text(SOURCE.read_text().replace("0xc67178f2", "0xc67178f3").replace("0xeb86d391", "0xeb86d390"))
    wrong = str(compiled(tmp_path / "wrong.so", "-O1", "-shared", "-fPIC", source=source))
    bodies = bodies_of([1 << 20] * 8)
    assert Built(wrong).md5(bodies) != ONE_BY_ONE.md5(bodies)
    found = SideBySide(wrong)
    is_right(found, bodies)
    assert found.costs() == {"md5": math.inf, "sha256": math.inf}
    assert not found.gains("sha256", 8)


@pytest.mark.parametrize("what", ["nothing", "no library", "directory"])
def test_without_it_hashlib_does_the_work(tmp_path: Path, what: str) -> None:
    """Where nothing was built, or something else is in its place."""
    path = tmp_path / "lib.so"
    if what == "directory":
        path.mkdir()
    elif what != "nothing":
        path.write_text(what)
    found = SideBySide(str(path))
    is_right(found, bodies_of([1 << 19] * 4))
    assert found.costs() == {"md5": math.inf, "sha256": math.inf}


@pytest.mark.parametrize(
    ("lengths", "cost", "expected"),
    [
        ([100, 100, 100, 100], 2.5, [3, 2, 1, 0]),
        ([100, 100], 2.5, []),  # One lane is 2.5 times as slow, and there are two.
        ([100] * 16, 9.0, []),  # Nothing is won with eight lanes.
        ([1000, 10, 10, 10, 10], 2.5, [4, 3, 2, 1]),  # The long one would keep one lane at work, and the others idle.
        ([1000, 900, 800, 10], 2.5, [0, 1, 2, 3]),
        ([0, 0, 0], 2.5, []),
        ([], 2.5, []),
        ([100] * 4, math.inf, []),
        ([0, 0, 0, 100], math.inf, []),
        ([0, 0, 0, 1000], 2.5, []),
    ],
)
def test_what_is_worth_it(lengths: list[int], cost: float, expected: list[int]) -> None:
    """Bodies go side by side where that takes less time than one after the other; the longest begins."""
    assert worth_it(lengths, cost) == expected


def test_a_little_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with a few small files does not even load what was built."""
    found = SideBySide("/nowhere")
    is_right(found, bodies_of([4096] * 20))
    assert found._costs is None
    monkeypatch.setattr(digests, "_LITTLE", 0)
    is_right(found, bodies_of([4096] * 20))
    assert found._costs is not None
