"""What `check` says of the settings of objects and of the way to the store: those that a job has, and nothing of others."""

from __future__ import annotations

from collections.abc import Iterator

from outhaul.model.job import Connection, Job
from outhaul.model.object_settings import ARCHIVE_CLASSES, ObjectSettings

_DAY_NS = 86_400 * 10**9


def lines(job: Job) -> Iterator[str]:
    """A line for each kind of setting."""
    if found := list(_object(job.objects)):
        yield f"each object gets: {'; '.join(found)}"
    if job.connection.sse_c_key_file:
        yield f"each object is encrypted with the key in {job.connection.sse_c_key_file} (SSE-C): keep that file"
    if job.objects.storage_class in ARCHIVE_CLASSES:
        yield f"what is in {job.objects.storage_class} has to be restored there before outhaul can bring it back"
    if job.objects.lock.legal_hold:
        yield "the legal hold was not tried: nothing but a person ends one. It has to be shown of each object"
    if found := list(_way(job.connection)):
        yield f"way there: {'; '.join(found)}"


def fields(job: Job) -> dict[str, object]:
    """The same for programs."""
    settings = job.objects._asdict() | {"metadata": dict(job.objects.metadata), "tags": dict(job.objects.tags)}
    lock = job.objects.lock._asdict()
    return {"object": settings | {"lock": lock}, "connection": job.connection._asdict()}


def _object(given: ObjectSettings) -> Iterator[str]:
    if given.storage_class:
        yield f"storage class {given.storage_class}"
    if given.content_type:
        yield "a type by its name" if given.content_type == "auto" else f"type {given.content_type}"
    if given.metadata:
        yield f"metadata {', '.join(f'{name}={text}' for name, text in given.metadata)}"
    if given.tags:
        yield f"tags {', '.join(f'{name}={text}' for name, text in given.tags)}"
    if given.encryption:
        key = f" with {given.kms_key}" if given.kms_key else ""
        yield f"encryption {given.encryption}{key}{' and a bucket key' if given.bucket_key else ''}"
    if given.lock.mode:
        yield f"a {given.lock.mode} lock for {given.lock.keep_ns / _DAY_NS:g} days"
    if given.lock.legal_hold:
        yield "a legal hold"


def _way(given: Connection) -> Iterator[str]:
    if given.bucket_owner:
        yield f"the bucket must belong to {given.bucket_owner}"
    for on, text in (
        (given.requester_pays, "this account pays"),
        (given.accelerate, "Transfer Acceleration"),
        (given.dual_stack, "dual-stack endpoint"),
        (given.fips, "FIPS endpoint"),
        (given.ca_file, f"certificates of {given.ca_file}"),
        (given.proxy, f"proxy {given.proxy}"),
    ):
        if on:
            yield text
