"""What Dask calls in each process of `local:4` before anything else.

A terminal's interrupt reaches all of them, and it is the driver's to say what becomes of what is under way.
"""

from __future__ import annotations

import signal


def dask_setup(_worker: object) -> None:
    """See Dask, "Customize Initialization"."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
