"""Traces by OpenTelemetry: a span for each pass that did something, and beneath it one for carrying and one for letting go.

Where they go, and how many, say the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER ...; "OpenTelemetry
environment variable specification"). Names of files are in none. What cannot be sent is lost, and said once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, stored_bytes
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing, State

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from outhaul.frontends.telling.everyone import Listener

_ENDS_SECONDS = 2.0


def traces(notice: Callable[[str], None]) -> Sequence[Listener]:
    """Whoever makes them; nobody where they are switched off, or the library is not there."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if off or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return ()
    try:
        return (TraceListener(_provider(notice), notice),)
    except ModuleNotFoundError as error:
        notice(f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and {error.name} is missing: pip install 'outhaul[opentelemetry]'")
        return ()
    except Exception as error:  # One of many variables holds what the library does not take.
        notice(f"no traces are made: {type(error).__name__}: {error}")
        return ()


def _provider(notice: Callable[[str], None]) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)  # It says the same again and again while offline.

    class _Telling(OTLPSpanExporter):
        """Says when what it sends is not taken any more."""

        _well = True

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            try:
                result = super().export(spans)
            except Exception:  # A network has a thousand ways to fail, and none is our business.
                result = SpanExportResult.FAILURE
            well = result is SpanExportResult.SUCCESS
            if self._well and not well:
                notice("traces are not taken where OTEL_EXPORTER_OTLP_ENDPOINT leads; they are lost until they are")
            self._well = well
            return result

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "outhaul"}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Telling()))
    return provider


class _Pass:
    """What a pass has done so far; times in nanoseconds since 1970, 0 for never."""

    def __init__(self) -> None:
        self.began = time.time_ns()
        self.files = self.bytes = self.released = self.held = 0
        self.last_carried = self.first_released = self.last_released = 0


class TraceListener:
    """Makes spans; a `Listener`."""

    def __init__(self, provider: TracerProvider, notice: Callable[[str], None]) -> None:
        self._provider = provider
        self._notice = notice
        self._tracer = provider.get_tracer("outhaul")
        self._passes: dict[str, _Pass] = {}
        self._faulty: set[str] = set()

    def started(self, job: Job) -> None:
        """See `Listener`."""
        self._passes[job.name] = _Pass()

    def held(self, job: Job, standing: Standing) -> None:
        """See `Listener`."""
        self._of(job).held += 1

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `Listener`."""
        one = self._of(job)
        one.files += len(receipts)
        one.bytes += stored_bytes(proofs)
        one.last_carried = time.time_ns()

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `Listener`."""
        one = self._of(job)
        one.released += len(disposals)
        one.last_released = time.time_ns()
        one.first_released = one.first_released or one.last_released

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """See `Listener`. A look at which nothing happened is no span, and a fault that goes on is none either."""
        one = self._passes.pop(job.name, None) or _Pass()
        new_fault = bool(fault) and job.name not in self._faulty
        (self._faulty.add if fault else self._faulty.discard)(job.name)
        if one.files or one.released or new_fault:
            self._span(job, one, tally, fault, whole)

    def beat(self) -> None:
        """See `Listener`."""

    def failed(self, error: Exception) -> None:
        """See `Listener`. The passes that were under way end by it."""
        for name, one in self._passes.items():
            span = self._tracer.start_span("outhaul.pass", start_time=one.began, attributes={"outhaul.job": name})
            self._fault(span, type(error).__name__)
            span.end()

    def over(self, seconds: float) -> None:
        """See `Listener`. Sending what is left may take longer than there is time."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(min(seconds, _ENDS_SECONDS))
        if ending.is_alive():
            self._notice("the last traces were not taken in time where OTEL_EXPORTER_OTLP_ENDPOINT leads, and are lost")

    def _of(self, job: Job) -> _Pass:
        return self._passes.setdefault(job.name, _Pass())

    def _span(self, job: Job, one: _Pass, tally: Tally, fault: str, whole: bool) -> None:
        from opentelemetry.trace import set_span_in_context

        root = self._tracer.start_span("outhaul.pass", start_time=one.began, attributes={
            "outhaul.job": job.name, "outhaul.whole": whole, "outhaul.files.seen": tally.seen,
            "outhaul.files.carried": one.files, "outhaul.bytes.carried": one.bytes, "outhaul.files.held": one.held,
            "outhaul.files.waiting": tally.of(State.WAITING),
        })  # fmt: skip
        beneath = set_span_in_context(root)
        if one.last_carried:
            carried = {"outhaul.files": one.files, "outhaul.bytes": one.bytes}
            self._tracer.start_span("outhaul.carry", beneath, start_time=one.began, attributes=carried).end(
                one.last_carried
            )
        if one.last_released:
            released = {"outhaul.files": one.released}
            begin = min(one.first_released, one.last_carried or one.first_released)
            self._tracer.start_span("outhaul.dispose", beneath, start_time=begin, attributes=released).end(
                one.last_released
            )
        if fault:
            self._fault(root, "a source or destination cannot be used")
        root.end()

    @staticmethod
    def _fault(span: object, text: str) -> None:
        from opentelemetry.trace import Span, Status, StatusCode

        if isinstance(span, Span):
            span.set_status(Status(StatusCode.ERROR, text))
