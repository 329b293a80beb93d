"""The fields of a receipt as tables have them: those of `export`, of a segment that a device tells, and of a database."""

from __future__ import annotations

COLUMNS: dict[str, type] = {
    "receipt": int, "job": str, "source": str, "path": str, "path_base64": str, "size": int, "mtime_ns": int,
    "sha256": str, "destination": str, "key": str, "version": str, "etag": str, "proof": str, "sent": bool,
    "proved_ns": int, "recorded_ns": int, "disposal": str, "disposed_ns": int, "codec": str, "stored_size": int,
    "stored_sha256": str, "within": str, "offset": int, "length": int, "at": int,
}  # fmt: skip
"""Every field of a receipt, in the order of the columns."""
