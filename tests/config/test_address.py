"""The address of a destination."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.config.paths import absolute_from
from outhaul.model.address import destination, without_bucket

ABSOLUTE = absolute_from("/base")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket", ("s3://bucket", "s3", "bucket", "", "")),
        ("S3://bucket/a/b/", ("s3://bucket/a/b", "s3", "bucket", "a/b", "")),
        ("s3://bucket/a@b", ("s3://bucket/a@b", "s3", "bucket", "a@b", "")),
        ("file:///x/y/", ("file:///x/y", "file", "", "", "/x/y")),
        ("file:/x", ("file:///x", "file", "", "", "/x")),
        ("file://localhost/x", ("file:///x", "file", "", "", "/x")),
        ("file:///a%20b%25c", ("file:///a b%25c", "file", "", "", "/a b%c")),
        ("file:///a#b?c", ("file:///a#b?c", "file", "", "", "/a#b?c")),
        ("x/y", ("file:///base/x/y", "file", "", "", "/base/x/y")),
        ("/x%41", ("file:///x%2541", "file", "", "", "/x%41")),
    ],
)
def test_an_address_names_a_destination(text: str, expected: tuple[str, ...]) -> None:
    """Buckets with a prefix, and directories by URL or path."""
    assert expected == destination(text, ABSOLUTE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty; write s3://bucket/prefix or a directory"),
        ("s3:bucket", "'s3:bucket' names no bucket; write s3://bucket/prefix"),
        ("s3://b/x", "'s3://b/x': the name of a bucket has 3 to 63 characters"),
        ("s3:///x", "'s3:///x' names no bucket; write s3://bucket/prefix"),
        ("s3://bucket/a//b", "'s3://bucket/a//b': a prefix has no empty, '.' or '..' parts"),
        ("s3://key:hunter2@bucket/x", "holds credentials; write s3://bucket/prefix alone, and give credentials to the "
         "AWS chain or a profile"),
        ("file://elsewhere/x", "is no local directory; write file:///directory"),
        ("file:x", "is no local directory; write file:///directory"),
        ("file:///a%00b", '"/a\\x00b" holds a character that no path can hold'),
        ("https://me:hunter2@host", "'https' is no kind of store that outhaul knows; write s3://bucket/prefix or a directory"),
    ],
)  # fmt: skip
def test_what_is_no_address_says_what_to_write(text: str, expected: str) -> None:
    """The message shows what to write instead, and repeats no credentials (law L14)."""
    with pytest.raises(ValueError) as raised:
        destination(text, ABSOLUTE)
    assert expected == str(raised.value)


@given(st.one_of(st.text(), st.text().map("file:///{}".format), st.text().map("s3://bucket/{}".format)))
def test_an_address_read_again_is_the_same(text: str) -> None:
    """What `destination` gives back as the address names the same destination."""
    try:
        first = destination(text, ABSOLUTE)
    except ValueError:
        return
    assert first == destination(first.address, ABSOLUTE)


@pytest.mark.parametrize(
    ("endpoint", "instead"),
    [
        ("http://h:9000/bucket", "http://h:9000"),
        ("http://h/in/bucket/", "http://h/in"),
        ("http://h/bucket/in", ""),
        ("http://h/a-bucket", ""),
        ("http://bucket", ""),
        ("http://h", ""),
        ("", ""),
    ],
)
def test_an_endpoint_that_ends_with_the_bucket(endpoint: str, instead: str) -> None:
    """Its path may be anything else."""
    assert without_bucket(endpoint, "bucket") == instead
    assert without_bucket(endpoint, "") == ""
