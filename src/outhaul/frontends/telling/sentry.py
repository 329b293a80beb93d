"""Sentry hears of unforeseen errors, and of sources and destinations that cannot be used where it is asked to.

What is sent is the kind of an error and where in this program it happened; paths and quoted names in its text are left out, and
so are local variables, which may hold anything. The library is loaded where there is an address, and not else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from outhaul.config.telling import Telling
from outhaul.model.errors import ConfigurationError, OuthaulError
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing

if TYPE_CHECKING:
    from outhaul.frontends.telling.everyone import Listener

_NAMES = re.compile(r"b?'[^']*'|b?\"[^\"]*\"|\S*/\S*")


def initialise(dsn: str, where: str, instead: str, **options: Any) -> None:
    """Load the library, and give it an address.

    Args:
        dsn: The address.
        where: The key of a configuration that names it.
        instead: What may be written there.
        options: As `sentry_sdk.init` has them.

    Raises:
        ConfigurationError: the library is not there, or that is no address of Sentry.
    """
    try:
        import sentry_sdk
    except ModuleNotFoundError:
        key = where.rpartition(" ")[2]
        raise ConfigurationError(
            f"{where}: needs sentry-sdk: pip install 'outhaul[sentry]', or take {key} out"
        ) from None
    try:
        sentry_sdk.init(dsn=dsn, **options)
    except ValueError:
        raise ConfigurationError(f"{where}: is no address of Sentry; write {instead}") from None


def sentry(telling: Telling, notice: Callable[[str], None]) -> Sequence[Listener]:
    """Whoever reports there; nobody where only the environment asks for it, and the library is not there.

    Raises:
        ConfigurationError: as `initialise`.
    """
    given = telling.sentry_dsn
    where = "sentry-dsn" if given else "SENTRY_DSN"
    try:
        # Who sends is not told (`send_default_pii`): that is the library's default, and naming it is deprecated in later ones.
        initialise(
            given or os.environ["SENTRY_DSN"], where, f'{where} = "https://KEY@sentry.example.net/7"',
            default_integrations=False, auto_enabling_integrations=False, max_breadcrumbs=0,
            include_local_variables=False, before_send=_without_names, shutdown_timeout=2,
        )  # fmt: skip
    except ConfigurationError as error:
        if given:
            raise
        notice(error.problems[0])
        return ()
    return (SentryListener(failures=telling.sentry_failures),)


def _without_names(event: Any, _hint: Any) -> Any:
    """An event whose texts name no file."""
    for one in event.get("exception", {}).get("values", ()):
        one["value"] = _NAMES.sub("...", str(one.get("value", "")))
    return event


class SentryListener:
    """Reports; a `Listener`."""

    def __init__(self, *, failures: bool) -> None:
        self._failures = failures
        self._faulty: set[str] = set()

    def started(self, job: Job) -> None:
        """See `Listener`."""

    def held(self, job: Job, standing: Standing) -> None:
        """See `Listener`."""

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `Listener`."""

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `Listener`."""

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """See `Listener`. Each fault once, until it is over."""
        if fault and self._failures and job.name not in self._faulty:
            import sentry_sdk

            text = _NAMES.sub("...", fault)
            sentry_sdk.capture_message(f"job {job.name} cannot go on: {text}", "error", tags={"job": job.name})
        (self._faulty.add if fault else self._faulty.discard)(job.name)

    def beat(self) -> None:
        """See `Listener`."""

    def failed(self, error: Exception) -> None:
        """See `Listener`. What is foreseen is a failure, and no error of this program."""
        import sentry_sdk

        if not isinstance(error, OuthaulError) or self._failures:
            sentry_sdk.capture_exception(error)

    def over(self, seconds: float) -> None:
        """See `Listener`."""
        import sentry_sdk

        sentry_sdk.flush(timeout=min(seconds, 2.0))
