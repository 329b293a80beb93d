"""What a restore says while a large file is on its way."""

from __future__ import annotations

import json

import pytest

from outhaul.engine.account import Account
from outhaul.frontends.cli import returning


def test_json_tells_how_far_large_files_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At most once a second, and only while such a file is on its way."""
    now = [10.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watcher, account = returning.JsonWatcher("restore"), Account()
    account.put("restored", 5)
    for seconds, under_way in ((0.5, 7), (1.0, 7), (1.5, 8), (2.1, 9), (9.0, 0)):
        now[0], account.bytes_under_way = 10 + seconds, under_way
        watcher.progress(account)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [{"event": "progress", "files": 1, "bytes": size} for size in (12, 14)] == told
