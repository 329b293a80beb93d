"""Random configurations: some right, most nearly right, some anything at all."""

from typing import Any

from hypothesis import strategies as st

from outhaul.config.keys import JOB_KEYS, LATER_SETTLE_KEYS, SETTLE_KEYS, TOP_KEYS
from outhaul.config.object_settings import STORAGE_CLASSES
from outhaul.config.telling import HOOK_KEYS

_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))
anything = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
"""Any tree."""

_good: dict[str, st.SearchStrategy[Any]] = {
    "name": st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
    "source": st.sampled_from(["/data", "~/data", "data", "."]) | st.text(max_size=10),
    "to": st.sampled_from(["s3://bucket", "s3://bucket/x", "file:///x", "/x"]) | st.text(max_size=10),
    "include": st.lists(st.text(max_size=6), max_size=3),
    "exclude": st.lists(st.text(max_size=6), max_size=3),
    "temporary-names": st.booleans(),
    "settle": st.fixed_dictionaries({}, optional={"quiet": st.sampled_from(["0", "30m", "1h30m", "9"])}),
    "after": st.sampled_from(["delete", "keep"]),
    "key": st.sampled_from(["{path}", "{name}", "x/{path}.y", "{stem}", "/{name}", "x"]),
    "every": st.sampled_from(["1h", "0", "10s", "often"]),
    "at": st.sampled_from(["02:10", "24:00", ["02:10:59", "23:59"], [], ["2:10"]]),
    "max-files": st.sampled_from([1, 0, -1, 10**9, 10**9 + 1, True]),
    "priority": st.sampled_from(["high", "normal", "low", "urgent"]),
    "proof": st.sampled_from(["auto", "stored", "read-back"]),
    "endpoint-url": st.sampled_from(["http://h", "https://h:1/x"]) | st.text(max_size=10).map("http://{}".format),
    "region": st.text(max_size=6),
    "profile": st.text(max_size=6),
    "object": st.fixed_dictionaries(
        {},
        optional={
            "storage-class": st.sampled_from([*STORAGE_CLASSES, "COLD"]),
            "content-type": st.sampled_from(["auto", "text/csv", "text/plain; charset=utf-8", "text"]),
            "metadata": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
            "tags": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=11),
            "encryption": st.sampled_from(["AES256", "aws:kms", "aws:kms:dsse", "kms"]),
            "kms-key": st.sampled_from(["alias/x", "arn:aws:kms:eu-north-1:111122223333:key/1", "a b"]),
            "bucket-key": st.booleans(),
            "lock": st.fixed_dictionaries(
                {},
                optional={
                    "mode": st.sampled_from(["governance", "compliance", "strict"]),
                    "keep": st.sampled_from(["1d", "30d", "1h", "0", "9999d"]),
                    "legal-hold": st.booleans(),
                },
            ),
        },
    ),
    "bucket-owner": st.sampled_from(["111122223333", "1"]),
    "requester-pays": st.booleans(),
    "accelerate": st.booleans(),
    "fips": st.booleans(),
    "proxy": st.sampled_from(["http://h:1", "h", "http://a:b@h"]),
    "sse-c-key-file": st.text(max_size=4),
    "hooks": st.dictionaries(
        st.sampled_from([*HOOK_KEYS, "always"]),
        st.sampled_from(
            ["https://h/x?y", "http://h", "http://127.0.0.1:1/", ["/bin/true", "x"], ["true"], [], "/bin/true"]
        ),
        max_size=3,
    ),
}
_words = st.sampled_from([*TOP_KEYS, *JOB_KEYS, *SETTLE_KEYS, *LATER_SETTLE_KEYS]) | st.text(max_size=8)
_right = st.fixed_dictionaries(
    {key: _good[key] for key in ("name", "source", "to")},
    optional={key: value for key, value in _good.items() if key not in ("name", "source", "to")},
)
_jobs = (
    _right | st.builds(lambda job, more: job | more, _right, st.dictionaries(_words, anything, max_size=2)) | anything
)
_rates = st.sampled_from(["2MiB/s", "512KiB/s", "1.5MB/s", "none", "9", "8Mbit/s"]) | anything
_windows = st.fixed_dictionaries(
    {},
    optional={
        "days": st.sampled_from(["mon", "mon-fri", "sat,sun", "fri-mon,wed", "Mon"]),
        "from": st.sampled_from(["00:00", "19:00", "24:00", "7:00"]),
        "to": st.sampled_from(["00:00", "19:00", "24:00", "07:60"]),
        "limit": _rates,
    },
)
_bandwidths = _rates | st.fixed_dictionaries({}, optional={"limit": _rates, "times": st.lists(_windows, max_size=3)})
_told: dict[str, st.SearchStrategy[Any]] = {
    "log": st.fixed_dictionaries(
        {},
        optional={
            "file": st.sampled_from(["x.log", "", "~/x"]),
            "format": st.sampled_from(["json", "text", "xml"]),
            "level": st.sampled_from(["debug", "error", "loud"]),
            "max-size": st.sampled_from(["1MiB", "1B", "2000GiB"]),
            "keep": st.sampled_from([1, 0, 1000, 1001, True]),
            "config": st.just("logging.json"),
        },
    ),
    "metrics": st.fixed_dictionaries(
        {},
        optional={
            "listen": st.sampled_from(["127.0.0.1:9275", "[::1]:1", "h:0", "9275", "h:99999"]),
            "file": st.text(max_size=4),
            "every": st.sampled_from(["1s", "10ms", "0"]),
            "oldest": st.sampled_from(["1h", "0", "x"]),
            "last-run": st.sampled_from(["1h", "0"]),
        },
    ),
    "sentry-dsn": st.sampled_from(["https://k@h/1", "https://h/1", ""]),
    "sentry-failures": st.booleans(),
    "hooks": _good["hooks"],
}
trees = anything | st.builds(
    lambda jobs, more: {"job": jobs} | more,
    st.lists(_jobs, min_size=1, max_size=3),
    st.dictionaries(_words, anything, max_size=1)
    | st.fixed_dictionaries({"bandwidth": _bandwidths})
    | st.fixed_dictionaries({}, optional=_told)
    | st.just({}),
)
"""Any tree, most often one that looks like a configuration."""
