"""`restore` where the latest copy of a file is gone or damaged: another one comes back, and it is said which."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.test_restore import There
from servers.server import Server


@pytest.fixture
def there(moto_server: Server, tmp_path: Path) -> There:
    """A server with versions."""
    return There(tmp_path, moto_server)


def test_another_bucket(there: There) -> None:
    """Three files are in two buckets; in the later one, one is deleted and one written over."""
    first, contents = there.server.make_bucket(), {name: name.encode() * 9 for name in ("a", "b", "c")}
    for name, content in contents.items():
        there.write(name, content)
    for address in (f"s3://{first}/old", there.address):
        assert there("copy", str(there.source), address).code == 0
    with there.server.client() as client:
        client.request("DELETE", there.bucket, "site/a")
        client.request("PUT", there.bucket, "site/b", body=b"x" * 9)
    ran = there("restore", "**", "--to", str(there.back), "-v")
    assert (ran.code, there.there()) == (0, contents)
    assert f"restored     a (from s3://{first}/old/a; the latest copy: missing)\n" in ran.err
    assert f"restored     b (from s3://{first}/old/b; the latest copy: damaged)\n" in ran.err
    assert "restored     c\n" in ran.err


def test_a_bucket_that_is_gone(there: There) -> None:
    """Every file comes from the other one, and the exit code says that all is well."""
    second = there.server.make_bucket()
    there.write("a", b"one")
    for address in (there.address, f"s3://{second}/new"):
        assert there("copy", str(there.source), address).code == 0
    with there.server.client() as client:
        for found in list(client.list(second)):
            client.request("DELETE", second, found.key)
        assert client.request("DELETE", second).status == 204
    ran = there("restore", "**", "--to", str(there.back))
    assert (ran.code, there.there()) == (0, {"a": b"one"}), ran.err
    assert "the store cannot be used" in ran.err


def test_versions(there: There) -> None:
    """The key was written over and deleted: the version of the receipt is read, and is what an audit looks at."""
    with there.server.client() as client:
        on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        assert client.request("PUT", there.bucket, query={"versioning": ""}, body=on).status == 200
        there.write("a", b"one")
        assert there("copy", str(there.source), there.address).code == 0
        client.request("PUT", there.bucket, "site/a", body=b"two")
        client.request("DELETE", there.bucket, "site/a")
    assert there("restore", "**", "--to", str(there.back)).code == 0
    assert there.there() == {"a": b"one"}
    assert there("audit", "--all").code == 0
