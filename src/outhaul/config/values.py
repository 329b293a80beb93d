"""One value of a configuration, from what was written to what a job holds.

Every function here takes what stands in the tree and returns the setting, or raises ValueError with what is wrong
and what to write instead. None looks at the machine.
"""

from __future__ import annotations

import re
from typing import TypeVar

from outhaul.config.durations import duration_ns, expected_duration
from outhaul.config.sizes import shown_size, size_bytes
from outhaul.config.wording import shown
from outhaul.model.ledger_address import ledger_address
from outhaul.model.patterns import broken, unclosed

Word = TypeVar("Word", bound=str)

NAME = r"^[A-Za-z0-9._-]{1,64}$"
ENDPOINT = r"^https?://(?:\[[0-9A-Fa-f:.]{2,45}\]|[^\s/?#@:\[\]]{1,253})(?::[0-9]{1,5})?(?:/[^\s?#@]*)?$"
REGION = r"^[A-Za-z0-9._-]{1,64}$"
# What may stand there, and not what may not: the engine of some editors (Rust's) takes no surrogates, not even in a range.
PROFILE = "^[ -~\xa0-\ud7ff\ue000-\U0010ffff]{1,128}$"
PATTERN_MAX = 1024
"""Length of the longest include or exclude pattern, in characters."""


MARKER = re.compile(r"[^/\x00{}]*\{name\}[^/\x00{}]*")


def name(value: object) -> str:
    """The name of a job."""
    if not isinstance(value, str) or not _whole(NAME, value):
        raise ValueError(f"expected 1 to 64 letters, digits, '.', '_' or '-', not {shown(value)}")
    return value


def text(value: object, example: str) -> str:
    """A string that is not blank; `example` is what to write instead."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a string such as {example}, not {shown(value)}")
    return value


def truth(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, not {shown(value)}")
    return value


def quiet(value: object) -> int:
    """A duration, in nanoseconds."""
    if not isinstance(value, str):
        raise ValueError(f"{expected_duration()}, not {shown(value)}")
    return duration_ns(value)


_LEVELS = {"auto": (1, 19), "bzip2": (1, 9), "gzip": (1, 9), "zstd": (1, 19), "xz": (0, 9), "lz4": (1, 12)}


SUFFIXES = {"bzip2": ".bz2", "gzip": ".gz", "zstd": ".zst", "xz": ".xz", "lz4": ".lz4"}
"""What each codec adds to a name, as in `codecs.FORMATS`."""


def level(codec: str, value: object) -> int:
    """How hard a codec tries. The ranges are those of `codecs.FORMATS`; a test keeps the two in step."""
    if codec not in _LEVELS:
        raise ValueError('says nothing where nothing is compressed; write codec = "zstd", or leave it out')
    lowest, highest = _LEVELS[codec]
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise ValueError(f"expected a level of {codec} from {lowest} to {highest}, not {shown(value)}")
    return value


BUNDLE_LEAST, BUNDLE_MOST = 64 << 10, 256 << 20
FILES_IN_A_BUNDLE = 16
"""A file that is larger than this part of a bundle goes alone, unless the job says otherwise."""


def bundle_size(value: object) -> int:
    """About how large a bundle becomes, in bytes. It is made in memory."""
    size = size_bytes(value)
    if not BUNDLE_LEAST <= size <= BUNDLE_MOST:
        least, most = shown_size(BUNDLE_LEAST), shown_size(BUNDLE_MOST)
        raise ValueError(f"expected a size from {least} to {most}, not {shown(value)}")
    return size


def file_max(value: object, size: int) -> int:
    """The largest file that travels with others, in bytes."""
    most = size_bytes(value, "1MiB")
    if not 0 < most <= max(size, 1):
        raise ValueError(f"expected a size from 1B to that of the bundle, not {shown(value)}")
    return most


KEY = re.compile(r"(?!/)(?!.*//)(?!.*/$)(?:[^{}\x00-\x1f\x7f]|\{path\}|\{name\})+", re.DOTALL)


def key(value: object) -> str:
    """What the path of an object is made of."""
    named = isinstance(value, str) and ("{path}" in value or "{name}" in value)
    if not isinstance(value, str) or not named or not KEY.fullmatch(value):
        raise ValueError(
            f'expected a path with the file\'s in it, such as "{{path}}", "{{name}}" or "raw/{{name}}", not {shown(value)}'
        )
    return value


FILES_MOST = 10**9


def files_max(value: object) -> int:
    """How many files a run may carry."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= FILES_MOST:
        raise ValueError(f"expected a number of files from 1 to {FILES_MOST}, not {shown(value)}")
    return value


TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?")


def times_of_day(value: object) -> tuple[int, ...]:
    """One time of the day or several, in seconds since midnight."""
    times = value if isinstance(value, list) and value else [value]
    if not all(isinstance(each, str) and TIME.fullmatch(each) for each in times):
        raise ValueError(f'expected a time such as "02:10", or an array of such, not {shown(value)}')
    parts = [[*map(int, str(each).split(":")), 0] for each in times]
    return tuple(sorted({3600 * part[0] + 60 * part[1] + part[2] for part in parts}))


def kept(value: object) -> int:
    """A duration for which something is to stay, in nanoseconds; none is not meant."""
    kept_ns = quiet(value)
    if not kept_ns:
        raise ValueError('expected a duration such as "30d", not "0"')
    return kept_ns


def marker(value: object) -> str:
    """How the file is named that marks another as finished."""
    if not isinstance(value, str) or not MARKER.fullmatch(value) or value == "{name}":
        raise ValueError(f'expected the name of a marker such as "{{name}}.done", not {shown(value)}')
    return value


def companion(value: object) -> str:
    """How a file is named that belongs to the directory of a group."""
    if not isinstance(value, str) or not _names_a_companion(value):
        raise ValueError(
            f'expected a path beneath the source with the directory\'s in it, such as "{{path}}.log", not {shown(value)}'
        )
    return value


def _names_a_companion(value: str) -> bool:
    plain = value.replace("{path}", "x").replace("{name}", "x")
    parts = plain.split("/")
    inside = value.startswith(("{path}/", "{path}{name}"))
    return (
        plain != value
        and value not in ("{path}", "{name}")
        and not inside
        and not any(part in ("", ".", "..") for part in parts)
        and not set("{}\0") & set(plain)
    )


def count(value: object) -> int:
    """A small number of files."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
        raise ValueError(f"expected a number from 0 to 1000, not {shown(value)}")
    return value


def choice(value: object, choices: tuple[Word, ...]) -> Word:
    """One word of several."""
    for word in choices:
        if value == word:
            return word
    words = [f'"{word}"' for word in choices]
    raise ValueError(f"expected {', '.join(words[:-1])} or {words[-1]}, not {shown(value)}")


def pattern(value: object) -> str:
    """One include or exclude pattern."""
    if not isinstance(value, str):
        raise ValueError(f'expected a pattern such as "**/*.csv", not {shown(value)}')
    if len(value) > PATTERN_MAX:
        raise ValueError(f"expected a pattern of at most {PATTERN_MAX} characters, not {len(value)}")
    if wrong := broken(value) or unclosed(value):
        raise ValueError(f"pattern {shown(value)} {wrong}")
    return value


def endpoint_url(value: object) -> str:
    """The address of an S3 server. What is refused is not repeated: it may hold a password (law L14)."""
    if isinstance(value, str) and "@" in value:
        raise ValueError(
            "holds credentials; write the address alone, and give credentials to the AWS chain or a profile"
        )
    if not isinstance(value, str) or not _whole(ENDPOINT, value) or not port_exists(value):
        raise ValueError('expected an address such as "https://s3.example.net" or "http://127.0.0.1:9000"')
    return value.rstrip("/")


PING = r"^https?://[^\s/?#@]{1,253}(?:/[^\s#@?]*)?$"


def ping(value: object) -> str:
    """The address that is told how runs go. It is not repeated: whoever knows it can speak for us (law L14)."""
    if not isinstance(value, str) or not _whole(PING, value) or not port_exists(value):
        raise ValueError('expected an address such as "https://hc-ping.com/your-uuid", without "?", "#" and "@"')
    return value.rstrip("/")


def ledger(value: object) -> str:
    """The address of the database that is the ledger. It is not repeated where it may hold a password (law L14)."""
    if not isinstance(value, str) or re.search(r"\s", value):
        raise ValueError('expected an address such as "postgresql://host/database"')
    return ledger_address(value)


def region(value: object) -> str:
    """The name of a region."""
    if not isinstance(value, str) or not _whole(REGION, value):
        raise ValueError(f'expected a region such as "eu-central-1", not {shown(value)}')
    return value


def profile(value: object) -> str:
    """The name of a profile of the shared AWS files."""
    if not isinstance(value, str) or not _whole(PROFILE, value) or value != value.strip():
        raise ValueError(f"expected the name of a profile in ~/.aws/config, not {shown(value)}")
    return value


def _whole(expression: str, value: str) -> bool:
    return re.fullmatch(expression, value) is not None


def port_exists(url: str) -> bool:
    """Whether the port of an address, where it has one, can be one."""
    found = re.search(r":([0-9]{1,5})(?:/|$)", url)
    return found is None or 0 < int(found[1]) < 65536
