"""Runs of the command in forked processes: a start costs milliseconds, so hundreds of cases take seconds.

The child runs `main` of the shipped command with its own output files and is killed by an alarm when it hangs. A
traceback goes where Python would print it.
"""

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping
from importlib import import_module

from faults.runs import LONGEST_SECONDS, Ended

_MAIN = import_module("outhaul.frontends.cli.main")
for _name in ("carry", "show", "monitors"):
    import_module(f"outhaul.frontends.cli.{_name}")
for _name in ("wiring", "engine.rounds", "ledgers.queries", "stores.directory", "stores.s3"):
    import_module(f"outhaul.{_name}")


def outhaul(*arguments: str, environ: Mapping[str, str] | None = None) -> Ended:
    """Run one command, and return what it said."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if not child:
            _run(arguments, environ, output.fileno(), errors.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        errors.seek(0)
        return Ended(None if code == -signal.SIGALRM else code, output.read(), errors.read())


def _run(arguments: tuple[str, ...], environ: Mapping[str, str] | None, output: int, errors: int) -> None:
    """The child: it never returns."""
    code: object = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(LONGEST_SECONDS))
        os.dup2(output, 1)
        os.dup2(errors, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", errors="backslashreplace") for number in (1, 2))
        if environ is not None:
            os.environ.clear()
            os.environ.update(environ)
        code = _MAIN.main(arguments)
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 2)
