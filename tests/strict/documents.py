"""The XML of the S3 API: what is answered, and the one document that is read."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from xml.sax.saxutils import escape

from strict.errors import S3Error

_NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Fields = Iterable[tuple[str, "str | int | Fields"]]


def document(name: str, fields: Fields, *, namespace: bool = True) -> bytes:
    """A document with one element, and these in it; a field that is no text is a list of fields itself."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{_NAMESPACE if namespace else ""}>{_inner(fields)}</{name}>'
    return text.encode()


def _inner(fields: Fields) -> str:
    return "".join(
        f"<{name}>{_text(value) if isinstance(value, str | int) else _inner(value)}</{name}>" for name, value in fields
    )


def _text(value: str | int) -> str:
    # What XML 1.0 cannot hold, S3 writes as a reference all the same; a client that cannot read it asks for encoding-type.
    return _FORBIDDEN.sub(lambda found: f"&#x{ord(found[0]):x};", escape(str(value)))


def parts_of(body: bytes) -> list[tuple[int, str, dict[str, str]]]:
    """Number, ETag and checksums of each part in a CompleteMultipartUpload document."""
    said = "The XML you provided was not well-formed or did not validate against our published schema"
    try:
        tree = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise S3Error("MalformedXML", said) from None
    parts = []
    for node in tree:
        fields = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in node}
        if not node.tag.endswith("Part") or not fields.get("PartNumber", "").isdecimal() or "ETag" not in fields:
            raise S3Error("MalformedXML", said)
        checksums = {name[8:].lower(): value for name, value in fields.items() if name.startswith("Checksum")}
        parts.append((int(fields["PartNumber"]), fields["ETag"].strip('"'), checksums))
    if not parts:
        raise S3Error("MalformedXML", said)
    return parts
