"""Starts one program, waits for it, and writes down what it cost; a program of its own, and a small one.

True here: Linux carries the peak memory of the process that starts a program over into that program's own
figure. So the harness, which holds lists of files, never starts a measured program itself: this script
does, in an interpreter that imports almost nothing. The floor of every memory figure is therefore the size
of this script, about 8 MB.
The program gets a process group of its own, and nothing of that group outlives it.
The clock runs from just before the start to the moment the program's end is known.
Not done here: what the program is, where its output goes, what the numbers mean.

Usage: launcher.py RESULT_FILE TIMEOUT_SECONDS PROGRAM [ARGUMENT]...
RESULT_FILE gets one line: exit code, seconds, CPU seconds of the program and its children, peak bytes, 1 if
timed out.
"""

import os
import signal
import sys
import time


def end_group(leader: int) -> None:
    """Kill whatever is left of the program's process group, which is its own."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """Run the program that the arguments name."""
    result, timeout, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    timed_out = False
    began = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ, setpgroup=0)

    def stop(number: int, _frame: object) -> None:
        nonlocal timed_out
        timed_out = number == signal.SIGALRM
        end_group(child)

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - began
    signal.setitimer(signal.ITIMER_REAL, 0)
    end_group(child)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    code = os.waitstatus_to_exitcode(status)
    line = f"{code} {seconds:.6f} {usage.ru_utime + usage.ru_stime:.6f} {peak} {int(timed_out)}\n"
    with open(result, "w") as file:
        file.write(line)


if __name__ == "__main__":
    main()
