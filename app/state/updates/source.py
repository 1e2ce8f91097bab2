"""Where an installation learns of newer versions: an address, and whose signature counts there."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.layers import Installed
from app.state.updates.manifest import ABOUT, SYSTEMS
from app.versions import is_version

log = logging.getLogger(__name__)

_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
_MOST_KEYS = 8


@dataclass(frozen=True, kw_only=True)
class Source:
    url: str  # of the feed's folder, without a slash at its end
    keys: tuple[str, ...]  # ed25519, 32 bytes in base64
    system: str  # one of SYSTEMS
    running: str  # the version of this installation

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or self.url


def source_of(installed: Installed | None) -> Source | None:
    """What the installation says in its version.json; None where it names no feed."""
    if installed is None:
        return None
    try:
        about = json.loads((installed.folder / ABOUT).read_text(encoding="utf-8"))
        return _read(about) if about.get("updates") else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        log.exception("no feed of updates")
        return None


def is_address(url: str) -> bool:
    """https, or http on this very PC."""
    try:
        parts = urlsplit(url)
        is_odd = parts.username is not None or parts.query or parts.fragment or not parts.hostname
        is_odd = is_odd or parts.port == 0
    except ValueError:
        return False
    return not is_odd and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or ""))
    )


def _read(about: dict[str, Any]) -> Source:
    """Raises one of ValueError, TypeError, KeyError, AttributeError."""
    url, keys = about["updates"]["url"].rstrip("/"), about["updates"]["keys"]
    if not is_address(url) or about["system"] not in SYSTEMS:
        raise ValueError(url)
    if not 0 < len(keys) <= _MOST_KEYS or not all(_KEY.fullmatch(each) for each in keys):
        raise ValueError("keys")
    if not is_version(about["version"]):
        raise ValueError("version")
    return Source(
        url=url, keys=tuple(keys), system=str(about["system"]), running=str(about["version"])
    )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
