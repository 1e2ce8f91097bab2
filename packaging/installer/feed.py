"""The feed of updates: the files of a version for both systems, and signed manifests that name them.

DIR/feed/files/<sha256>      each file once, under its digest
DIR/feed/<system>.json       the manifest, see app/state/updates/manifest.py
DIR/feed/<system>.json.sig   ed25519 signatures of its bytes, one a line, in base64

It is published as it is, `files` first. Files of earlier versions may stay.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import linux_folder
import payload
import windows_setup
from platforms import LINUX, WINDOWS
from project import BuildError, Project
from reproducible import files_below, sha256

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError as error:
    raise BuildError("Signing needs the library cryptography: pip install cryptography") from error

from app.state.updates import signature
from app.state.updates.manifest import FORMAT, ManifestError, parse

ANY_VERSION = "0.0.0"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What the manifest says beside the files."""

    version: str
    oldest: str = ANY_VERSION  # the oldest version that can become this one
    released: str = ""  # as 2026-01-31; else today, or SOURCE_DATE_EPOCH
    notes: Mapping[str, str]  # what is new, as plain text, by language


def build(
    project: Project, output: Path, keys: Sequence[Path], notes: Path | None, oldest: str
) -> Path:
    """Writes `feed` into `output` and returns its path. Raises `BuildError`.

    `notes` is a folder with `en.txt` and other languages; `keys` are PEM files.
    """
    signers = [read_key(each) for each in keys]
    believed = project.updates.keys if project.updates else ()
    if not {public_key(each) for each in signers} & set(believed):
        raise BuildError(
            "What is updated must find the next update: name the feed's address and the public key "
            "of one of the signing keys, with --updates and --update-key or in pyproject.toml."
        )
    release = Release(version=project.version, oldest=oldest, notes=read_notes(notes))
    feed = output / "feed"
    with tempfile.TemporaryDirectory(prefix="redraft-feed-") as place:
        for platform in (LINUX, WINDOWS):
            folder = Path(place) / platform.name
            if platform is LINUX:
                linux_folder.assemble(project, folder)
            else:
                payload.assemble(project, platform, folder)
                shutil.copyfile(windows_setup.FOLDER / "redraft.ico", folder / "redraft.ico")
            write(folder, platform.name, release, feed, signers)
    return feed


def write(
    folder: Path,
    system: str,
    release: Release,
    feed: Path,
    signers: Sequence[Ed25519PrivateKey],
) -> Path:
    """Adds the version in `folder` to the feed. Returns the manifest's path. Raises `BuildError`."""
    (feed / "files").mkdir(parents=True, exist_ok=True)
    rows = [_add(folder, path, feed) for path in files_below(folder)]
    manifest = {
        "format": FORMAT,
        "system": system,
        "version": release.version,
        "released": release.released or _today(),
        "oldest": release.oldest,
        "notes": dict(sorted(release.notes.items())),
        "files": rows,
    }
    data = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    signatures = b"".join(base64.b64encode(each.sign(data)) + b"\n" for each in signers)
    try:  # what no installation would take is not published
        parse(data)
        signature.check_signed(data, signatures, [public_key(signers[0])])
    except (ManifestError, signature.NotSigned) as error:
        raise BuildError(f"The manifest for {system} is not sound: {error}") from error
    target = feed / f"{system}.json"
    target.write_bytes(data)
    target.with_name(f"{system}.json.sig").write_bytes(signatures)
    return target


def _add(folder: Path, path: Path, feed: Path) -> dict[str, object]:
    digest = sha256(path)
    target = feed / "files" / digest
    if not target.exists():
        part = target.with_name(f"{digest}.part")
        shutil.copyfile(path, part)
        part.replace(target)
    return {
        "path": path.relative_to(folder).as_posix(),
        "size": path.stat().st_size,
        "sha256": digest,
        "executable": bool(path.stat().st_mode & 0o100),
    }


def read_notes(folder: Path | None) -> dict[str, str]:
    """The texts by language, from `en.txt` and its like."""
    if folder is None:
        return {}
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("??.txt"))}
    if "en" not in found:
        raise BuildError(f"{folder} has no en.txt.")
    return found


def make_key(path: Path) -> str:
    """Writes a new private key that only its owner can read. Returns the public one, in base64.

    Raises `BuildError` where there is a file already.
    """
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BuildError(f"{path} is there already; a key is never replaced.") from error
    except OSError as error:
        raise BuildError(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return public_key(private)


def read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(f"{path} is no private key that can be read.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BuildError(f"{path} is no ed25519 key.")
    return key


def public_key(private: Ed25519PrivateKey) -> str:
    """Its 32 bytes in base64."""
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def _today() -> str:
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(datetime.UTC)
    then = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC) if seconds else now
    return then.date().isoformat()
