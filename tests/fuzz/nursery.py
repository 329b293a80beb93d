"""The process that runs of the command are forked from. It never runs anything itself, so its children start clean.

A client of S3 keeps threads and an epoll descriptor; a process that has used one and forks leaves its child with the
descriptor and without the threads, and the two then take each other's events. So it is not pytest's process that forks.

It reads requests, a JSON object a line, from standard input, and answers each with the exit code on standard output:
`arguments` and `environ` are lists of strings with PEP 383 surrogates, `output` and `errors` the files to write to.
"""

import json
import os
import signal
import sys
import traceback
from importlib import import_module

_MAIN = import_module("outhaul.frontends.cli.main")
for _name in ("carry", "show", "monitors"):
    import_module(f"outhaul.frontends.cli.{_name}")
for _name in ("wiring", "engine.rounds", "ledgers.queries", "stores.directory", "stores.s3"):
    import_module(f"outhaul.{_name}")


def serve(seconds: int) -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _run(request, seconds)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(request: dict[str, object], seconds: int) -> None:
    """The child: it never returns."""
    code: object = 1
    try:
        signal.alarm(seconds)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        for number, name in ((1, "output"), (2, "errors")):
            os.dup2(os.open(str(request[name]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.closerange(3, 64)
        sys.stdin = os.fdopen(0)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", errors="backslashreplace") for number in (1, 2))
        environ = request["environ"]
        assert isinstance(environ, dict)
        os.environ.clear()
        os.environ.update(environ)
        code = _MAIN.main(request["arguments"])
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 2)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
