"""What the pictures of the documentation show: a logger and a camera, with a day behind them.

The ledger is written by hand for that.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time

from telling.place import Place

DAY, STEP = 86_400 * 10**9, 300 * 10**9


def paint(place: Place) -> None:
    """A day in which the link was down for some hours; two files held, some waiting, a large one on its way."""
    for name in ("spectrum-0412.h5", "reading.csv"):
        place.write(name, taken=name == "reading.csv")
    place.run(place.configured())
    database = sqlite3.connect(os.path.join(place.state, "ledger.sqlite"), isolation_level=None)
    now = time.time_ns()
    database.execute("BEGIN")
    database.execute("DELETE FROM receipt")
    database.execute("DELETE FROM run")
    database.execute("DELETE FROM sighting")
    database.execute("DELETE FROM directory")
    database.execute("DELETE FROM place")
    places = [
        (1, "/srv/logger/done", "s3://measurements/powerhouse", "powerhouse"),
        (2, "/srv/camera", "s3://measurements/weir", "camera"),
    ]
    for number, source, target, job in places:
        database.execute(
            "INSERT INTO place VALUES (?,?,?,'',?,?)",
            (number, source.encode(), target, job, json.dumps({"include": [], "exclude": []})),
        )
        database.execute("INSERT INTO directory VALUES (?,?,?)", (number, number, time.strftime("%Y/%m").encode()))
        for hour in range(72):
            free = int((41 - 0.2 * (72 - hour)) * 1e9) if number == 1 else int(310e9)
            database.execute(
                "INSERT INTO space VALUES (?,?,?,?)",
                (number, now - (72 - hour) * 3600 * 10**9, free, int(64e9 if number == 1 else 500e9)),
            )
    _receipts(database, now)
    _standing(database, now)
    for number, carried in ((1, 1_842_112), (2, 48_211_004), (1, 921_056), (2, 0)):
        reasons = {"removed": 4, "in-use": 1} if number == 1 else {"archived": 11, "conflict": 1, "quiet": 2}
        ended = now - (30 - 7 * number) * 10**9
        database.execute(
            "INSERT INTO run VALUES (NULL,?,?,?,?,?,?)",
            (number, ended - 10**9, ended, sum(reasons.values()), carried, json.dumps(reasons)),
        )
    database.execute(
        "INSERT INTO upload VALUES (2,?,0,7,?,0,0,'','1',8388608,?)",
        (b"weir-2214.mp4", 3_221_225_472, now - 130 * 10**9),
    )
    database.execute("COMMIT")
    database.close()


def _receipts(database: sqlite3.Connection, now: int) -> None:
    number = 0
    for step in range(288):
        at = now - DAY + step * STEP
        down = 120 <= step < 156
        for index in range(3 + int(3 * math.sin(step / 46))):
            number += 1
            made = at + index * STEP // 7
            recorded = made + 20 * 10**9 if not down else now - DAY + 156 * STEP + (number % 12) * STEP
            size = 230_000 + 1000 * (number % 97) if number % 5 else 4_400_000
            which = 1 if number % 5 else 2
            name = f"reading-{number:05}.csv" if which == 1 else f"weir-{number:05}.jpg"
            database.execute(
                "INSERT INTO receipt (directory, name, device, inode, size, mtime_ns, ctime_ns, birth_ns, sha256, key, "
                "version, etag, proof, sent, "
                "proved_ns, recorded_ns, disposal, disposed_ns) VALUES (?,?,1,?,?,?,?,0,?,?,'','','etag',1,?,?,?,?)",
                (
                    which,
                    name.encode(),
                    number,
                    size,
                    made,
                    made,
                    bytes(32),
                    name,
                    recorded,
                    recorded,
                    "removed",
                    recorded,
                ),
            )


def _standing(database: sqlite3.Connection, now: int) -> None:
    standing = [
        (1, "reading-07311.csv", 231_004, "in-use", "", 40, 0),
        (2, "weir-07290.jpg", 4_400_000, "conflict", "other bytes stand under weir/2026/11/weir-07290.jpg", 5400, 3),
        (1, "calibration.csv", 18_220, "unreadable", "Permission denied", 26_000, 5),
        (2, "weir-07315.jpg", 4_400_000, "quiet", "3 s of 30 s", 3, 0),
        (2, "weir-2214.mp4", 3_221_225_472, "interrupted", "", 130, 1),
    ]
    for directory, name, size, reason, detail, seconds, attempts in standing:
        database.execute(
            "INSERT INTO sighting VALUES (?,?,1,1,?,0,0,'b',0,?,?,?,?)",
            (directory, name.encode(), size, now - seconds * 10**9, reason, detail, attempts),
        )
