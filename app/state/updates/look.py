"""Asks a feed for its manifest, and believes it only when it is signed, sound and not of the past."""

from __future__ import annotations

import logging

from app.state.updates import signature, trouble
from app.state.updates.client import Client
from app.state.updates.install import UpdateFailed
from app.state.updates.manifest import MOST_BYTES, Manifest, ManifestError, NewerFormat, parse
from app.state.updates.source import Source

log = logging.getLogger(__name__)


def look(client: Client, source: Source, newest_seen: str) -> Manifest:
    """What the feed offers now, which may be the very version that runs. Raises `UpdateFailed`."""
    name = f"{source.system}.json"
    data = client.small(name, MOST_BYTES)
    try:
        signatures = client.small(f"{name}.sig", signature.MOST_BYTES)
        signature.check_signed(data, signatures, source.keys)
        manifest = parse(data)
        if manifest.system != source.system:
            raise ManifestError(f"for {manifest.system}")
        signature.check_not_older(manifest, source.running, newest_seen)
    except signature.NotSigned as error:
        raise UpdateFailed(trouble.not_signed()) from error
    except signature.TooOld as error:
        raise UpdateFailed(trouble.too_old()) from error
    except NewerFormat as error:
        raise UpdateFailed(trouble.newer_format()) from error
    except ManifestError as error:
        log.warning("the manifest: %s", error)
        raise UpdateFailed(trouble.unreadable()) from error
    return manifest
