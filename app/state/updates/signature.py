"""Who wrote a manifest, and whether it may come now: ed25519 signatures, and no way back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.state.updates.manifest import Manifest
from app.versions import is_newer

MOST_BYTES = 2_000  # of a file with signatures
MOST_SIGNATURES = 8
KEY_BYTES, SIGNATURE_BYTES = 32, 64


class NotSigned(Exception):
    """None of the signatures is one of the keys'."""


class TooOld(Exception):
    """Somebody offers what has been replaced: an old feed played again."""


def check_signed(data: bytes, signatures: bytes, keys: Sequence[str]) -> None:
    """`signatures`: one a line, in base64; one of them by one of `keys` (base64, too) is enough.

    Several let a key be replaced. Raises `NotSigned`.
    """
    lines = signatures.split(b"\n") if len(signatures) <= MOST_BYTES else []
    wanted = list(_decoded(lines[:MOST_SIGNATURES], SIGNATURE_BYTES))
    for raw in _decoded([key.encode() for key in keys], KEY_BYTES):
        key = Ed25519PublicKey.from_public_bytes(raw)
        for signature in wanted:
            try:
                key.verify(signature, data)
            except InvalidSignature:
                continue
            return
    raise NotSigned


def check_not_older(manifest: Manifest, running: str, newest_seen: str) -> None:
    """Raises `TooOld` for less than what runs here, or than what was offered before.

    `newest_seen` may be empty.
    """
    if is_newer(running, manifest.version) or is_newer(newest_seen, manifest.version):
        raise TooOld(manifest.version)


def _decoded(lines: Sequence[bytes], size: int) -> Iterator[bytes]:
    for line in lines:
        try:
            raw = base64.b64decode(line.strip(), validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(raw) == size:
            yield raw
