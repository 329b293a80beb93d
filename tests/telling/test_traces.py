"""Traces: a span for each pass that did something."""

from __future__ import annotations

import sys

import pytest

from outhaul.frontends.telling.traces import traces
from telling.place import Place
from telling.receiver import Receiver, receiver


@pytest.fixture
def spans(place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """The spans of three runs: one that carried, one with nothing to do, one whose destination is away."""
    with receiver() as there:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", there.address)
        configured = place.configured()
        place.write("a-secret-name")
        place.run(configured)
        place.run(configured)
        (place.home / "source").rename(place.home / "elsewhere")
        place.run(configured)
        return _read(there)


def _read(there: Receiver) -> dict[str, dict[str, object]]:
    """Number and name, and attributes with what else counts."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # It takes its time.

    found: dict[str, dict[str, object]] = {}
    for path, body in there.taken:
        assert (path, b"secret" in body) == ("/v1/traces", False)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            assert "outhaul" in [
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            ]
            for span in [span for scope in resource.scope_spans for span in scope.spans]:
                values = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
                took = span.end_time_unix_nano - span.start_time_unix_nano
                found[f"{len(found)} {span.name}"] = values | {
                    "child": bool(span.parent_span_id), "failed": span.status.code == 2, "took": took >= 0,
                }  # fmt: skip
    return found


@pytest.mark.slow
def test_spans_arrive(spans: dict[str, dict[str, object]]) -> None:
    """By OTLP over HTTP, where the standard variables lead; names of files do not."""
    assert list(spans) == ["0 outhaul.carry", "1 outhaul.dispose", "2 outhaul.pass", "3 outhaul.pass"]
    carry, dispose, good, bad = spans.values()
    assert (good["outhaul.files.carried"], good["outhaul.bytes.carried"]) == (1, 7)
    assert [one["child"] for one in spans.values()] == [True, True, False, False]
    assert [one["failed"] for one in spans.values()] == [False, False, False, True]
    assert (carry["outhaul.files"], dispose["outhaul.files"], bad["took"]) == (1, 1, True)


def test_nothing_is_made_where_it_is_off_or_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is missing is one line, and files go."""
    said: list[str] = []
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert tuple(traces(said.append)) == ()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "false")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert (tuple(traces(said.append)), said) == ((), [])
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert tuple(traces(said.append)) == ()
    assert len(said) == 1 and "pip install 'outhaul[opentelemetry]'" in said[0]
