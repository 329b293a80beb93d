"""Which settings of a job do not go together, each being right by itself.

Pure, and asked of jobs from a configuration as well as of those from the command line.
"""

from __future__ import annotations

from collections.abc import Iterator

from outhaul.config import connection_settings, object_settings
from outhaul.config.timing import unsuited_times
from outhaul.config.wording import shown
from outhaul.model.job import Job
from outhaul.model.object_settings import ObjectSettings


def unsuited(job: Job) -> list[tuple[tuple[str, ...], str]]:
    """The path of a key, and what is wrong with it beside the others; none where all is well."""
    found: list[tuple[tuple[str, ...], str]] = [*_of_keys(job), *unsuited_times(job)]
    found += [((key,), text) for key in ("include", "exclude") for text in _patterns(job, getattr(job, key))]
    if job.destination.kind == "s3":
        found += [((key,), text) for key, text in connection_settings.faults(job.connection, job.destination)]
    return [*found, *object_settings.faults(job)]


def _of_keys(job: Job) -> Iterator[tuple[tuple[str, ...], str]]:
    if job.on_conflict == "replace" and _may_share_keys(job):
        yield ("on-conflict",), _SHARED_KEYS
    if job.key and job.bundle_bytes:
        yield ("key",), "does not go with bundle: what a bundle is called follows from its files; leave one out"
    if job.archive_form == "stored" and job.compress in ("", "auto"):
        yield ("after", "form"), 'needs compress with a codec, such as "bzip2"; or write form = "file"'
    if job.shed_below and job.after == "keep":
        yield (
            ("disk", "shed-below"),
            'does not go with after = "keep" or delete-after, which promise that a source stays',
        )
    if job.shed_below and job.groups:
        yield ("disk", "shed-below"), "does not go with group, whose files stay or go together; leave one out"
    if job.via and job.destination.kind != "s3":
        yield ("via",), 'the Stream Manager sends to S3 only; leave it out, or write to = "s3://bucket/prefix"'
    if job.via and (job.objects != ObjectSettings() or job.connection.sse_c_key_file):
        yield ("via",), "the Stream Manager gives objects no settings: leave out via, or object and sse-c-key-file"


def _patterns(job: Job, patterns: tuple[str, ...]) -> Iterator[str]:
    front = f"{job.source.rstrip('/')}/"
    for pattern in patterns:
        if pattern.startswith(front) and front != "/":
            yield f"{shown(pattern)} is held against the path beneath the source; leave the source out of it"


_SHARED_KEYS = (
    '"replace" does not go with group, compress = "auto" or a key without {path}: there two sources may have one key, and '
    'the later would take the place of the earlier; write "keep-both"'
)


def _may_share_keys(job: Job) -> bool:
    """Whether what is not the same file may have the same key: `a.tar` and the group `a`, or `a.zst` and `a` compressed."""
    return bool(job.groups) or job.compress == "auto" or "{path}" not in (job.key or "{path}")
