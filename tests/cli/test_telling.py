"""Whom a configuration names is told, by the real command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from bench.processes import free_port

from cli.program import Program

JOB = '[[job]]\nname = "a"\nsource = "source"\nto = "target"\nsettle = { quiet = "0" }\non-conflict = "hold"\nevery = "300ms"\n'


def configure(outhaul: Program, top: str) -> None:
    """Write the configuration."""
    (outhaul.home / "outhaul.toml").write_text(f"{top}\n{JOB}")


def run(outhaul: Program, *options: str, **more: str) -> tuple[int, str]:
    """Exit code, and what a run says."""
    ran = outhaul("run", "outhaul.toml", "--state", str(outhaul.state), *options, **more)
    return ran.code, ran.err


def test_who_tells_nobody_loads_nothing_for_it(outhaul: Program) -> None:
    """An empty run from cron is to cost little."""
    configure(outhaul, "")
    code, said = run(outhaul, PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in said.splitlines()}
    assert (code, "outhaul.engine.passes" in loaded) == (0, True)
    heavy = (
        "logging",
        "subprocess",
        "http.client",
        "http.server",
        "sentry_sdk",
        "opentelemetry",
        "outhaul.frontends.telling.everyone",
    )
    assert [name for name in heavy if name in loaded] == []


@pytest.mark.slow
def test_options_of_the_log(outhaul: Program) -> None:
    """They go before the configuration; what stops a command is on standard error too."""
    configure(outhaul, 'log = { level = "error" }')
    outhaul.write("one")
    outhaul.write("new\nline")
    code, said = run(outhaul, "--log-format", "json", "-v")
    lines = [json.loads(line) for line in said.splitlines()]
    assert (code, {"carried", "summary"}) == (0, {line["event"] for line in lines})
    assert {"one", "new\nline"} == {line["path"] for line in lines if line["event"] == "carried"}
    assert run(outhaul, "--log-file", "x.log") == (0, "")
    assert (outhaul.home / "x.log").read_text() == ""
    (outhaul.state / "ledger.sqlite").unlink()
    (outhaul.state / "ledger.sqlite").mkdir()
    code, said = run(outhaul, "--log-file", "x.log")
    assert (code, said.count("\n"), "ledger.sqlite" in (outhaul.home / "x.log").read_text()) == (1, 1, True)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "extra"), [("sentry_sdk", "sentry"), ("opentelemetry", "opentelemetry")])
def test_an_extra_that_is_missing(outhaul: Program, module: str, extra: str, tmp_path: Path) -> None:
    """Where the environment asks for it, files go, and one line tells; where the configuration does, that is wrong."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text(f"raise ModuleNotFoundError(name={module!r})")
    more = {"PYTHONPATH": str(hidden), "SENTRY_DSN": "", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}
    more |= {{"sentry": "SENTRY_DSN"}.get(extra, "OTEL_EXPORTER_OTLP_ENDPOINT"): "http://key@127.0.0.1:9/1"}
    configure(outhaul, "")
    outhaul.write("one")
    code, said = run(outhaul, "-q", **more)
    assert (code, said.count("\n"), f"pip install 'outhaul[{extra}]'" in said) == (0, 1, True)
    assert (outhaul.target / "one").exists()
    if extra == "sentry":
        configure(outhaul, 'sentry-dsn = "http://key@127.0.0.1:9/1"')
        code, said = run(outhaul, **more)
        assert (code, said.count("\n"), "sentry-dsn: needs sentry-sdk" in said) == (2, 1, True)


class Watching:
    """A watch with an endpoint, a log and a hook."""

    def __init__(self, outhaul: Program) -> None:
        self.home = outhaul.home
        self.port = free_port()
        hook = outhaul.home / "hook"
        hook.write_text(
            '#!/bin/sh\necho "$OUTHAUL_EVENT $OUTHAUL_FILES" >> "$0.told"\n[ "$OUTHAUL_EVENT" = held ] && sleep 60\n'
        )
        hook.chmod(0o755)
        configure(
            outhaul,
            'hooks = { success = ["./hook"], held = ["./hook"] }\nlog = { file = "log", format = "json" }\n'
            f'metrics = {{ listen = "127.0.0.1:{self.port}", file = "x.prom", every = "1s" }}',
        )
        command = [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", str(outhaul.state)]
        self.process = subprocess.Popen(command, cwd=outhaul.home, env=outhaul.environment, stderr=subprocess.PIPE)

    def asked(self, page: str) -> str:
        """The answer of the endpoint."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{page}", timeout=5) as answer:
            return str(answer.read().decode())

    def read(self, name: str) -> str:
        """A file, if it is there."""
        return (self.home / name).read_text() if (self.home / name).exists() else ""

    def until(self, name: str, text: str) -> None:
        """Wait for a text in a file."""
        deadline = time.monotonic() + 10
        while text not in self.read(name):
            assert time.monotonic() < deadline, self.read(name)
            time.sleep(0.05)


@pytest.mark.slow
def test_a_watch_tells_them_all(outhaul: Program) -> None:
    """The log, the hook, the endpoint and the file; and a hook that hangs holds up no file, and no end for long."""
    watching = Watching(outhaul)
    try:
        outhaul.write("one")
        watching.until("hook.told", "success 1\n")
        assert watching.asked("/health") == "well\n"
        (outhaul.target / "two").write_text("other bytes")
        outhaul.write("two")
        watching.until("hook.told", "held 1\n")
        outhaul.write("three")
        watching.until("x.prom", 'reason="conflict",state="held"} 1')
        time.sleep(2)
        assert ((outhaul.target / "three").exists(), "outhaul_files_carried_total{" in watching.asked("/metrics")) == (
            True,
            True,
        )
        (watching.home / "log").rename(watching.home / "old")
        watching.process.send_signal(signal.SIGHUP)
        watching.until("log", "the configuration was read anew")
    finally:
        watching.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        said = watching.process.communicate(timeout=20)[1]
    assert (time.monotonic() - began < 8, said) == (True, b"")
    assert [json.loads(line)["event"] for line in watching.read("old").splitlines()].count("held") == 1
    assert "were not waited for" in watching.read("log")
