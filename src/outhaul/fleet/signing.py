"""Signatures of orders: Ed25519 (RFC 8032), by the library `cryptography`, which is loaded only where orders are given or obeyed.

An order in the bucket is JSON with `payload` and `signature`, both in base64: what was signed is kept as it is, byte by byte, and
nothing of it is read before its signature has been found right.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from typing import Any

from outhaul.model.errors import ConfigurationError
from outhaul.model.fleet import Malformed
from outhaul.model.orders import BYTES_MAX, SIGNED_WITH

_PUBLIC, _PRIVATE = "ed25519:", "outhaul-fleet-private-key:ed25519:"


def library() -> Any:
    """`cryptography`'s Ed25519.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise ConfigurationError("control of a fleet needs the extra: pip install 'outhaul[control]'") from None
    return ed25519


def make_key(path: str) -> str:
    """Write a new private key into a new file that nobody else may read; the public key.

    Raises:
        ConfigurationError: there is such a file, or it cannot be written.
    """
    key = library().Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(_PRIVATE + base64.b64encode(key.private_bytes_raw()).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already, and no key is written over") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    return _public(key)


def load_key(path: str) -> Any:
    """The private key in a file.

    Raises:
        ConfigurationError: there is none, or others may read it. What is in it is never repeated (law L14).
    """
    try:
        with open(path, encoding="ascii") as file:
            mode, text = os.fstat(file.fileno()).st_mode, file.read(200).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--key: {path} cannot be read: {getattr(error, 'strerror', 'no text')}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(f"--key: others may read {path}; chmod 600 {path}")
    try:
        if not text.startswith(_PRIVATE):
            raise ValueError
        return library().Ed25519PrivateKey.from_private_bytes(
            base64.b64decode(text.removeprefix(_PRIVATE), validate=True)
        )
    except ValueError:
        raise ConfigurationError(f"--key: {path} holds no key that `outhaul fleet keygen` made") from None


def _public(key: Any) -> str:
    return _PUBLIC + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def public_of(key: Any) -> str:
    """The public key of a private one, as it stands in a configuration."""
    return _public(key)


def signed(payload: bytes, key: Any) -> bytes:
    """The object that stands in the bucket."""
    signature = key.sign(SIGNED_WITH + payload)
    parts = {"payload": base64.b64encode(payload).decode(), "signature": base64.b64encode(signature).decode()}
    return json.dumps(parts).encode()


def verified(body: bytes, public: str) -> bytes:
    """What was signed, where it was signed with the key that belongs to this one.

    Raises:
        Malformed: it was not.
    """
    payload, signature = _parts(body)
    from cryptography.exceptions import InvalidSignature

    try:
        raw = base64.b64decode(public.removeprefix(_PUBLIC), validate=True)
        library().Ed25519PublicKey.from_public_bytes(raw).verify(signature, SIGNED_WITH + payload)
    except (InvalidSignature, ValueError):
        raise Malformed("it is not signed with the key of this fleet") from None
    return payload


def _parts(body: bytes) -> tuple[bytes, bytes]:
    try:
        tree = json.loads(body[: BYTES_MAX + 1])
        if len(body) > BYTES_MAX or not isinstance(tree, dict) or tree.keys() != {"payload", "signature"}:
            raise ValueError
        return base64.b64decode(tree["payload"], validate=True), base64.b64decode(tree["signature"], validate=True)
    except (ValueError, TypeError, RecursionError):
        raise Malformed("it is no signed order") from None
