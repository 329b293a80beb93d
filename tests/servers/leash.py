"""Runs one command for as long as standard input stays open, then stops it: `python leash.py COMMAND...`.

The test process holds the other end of the pipe. However it ends, SIGKILL included, the kernel closes the
pipe and the command is stopped by its process id. The exit code is the command's own.
"""

import os
import signal
import subprocess
import sys
import threading

_PATIENCE_SECONDS = 5


def _stop_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    child.terminate()
    try:
        child.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def main(command: list[str]) -> int:
    """Run the command; return when it has ended."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=_stop_at_end_of_input, args=(child,), daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
