"""Where models may lie on this PC: our own folder, the caches of other programs, named folders.

Everything is looked at in place. A link that leads out of the place where it lies is not followed;
only in the cache of huggingface-hub files are links, into the folder of the same repository.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.messages import EngineError, ErrorKind, ModelEntry, Place
from engine.store.entries import folder_entry, gguf_entry

_DEPTH = 4  # folders below a place
_MOST = 2000  # folders looked at in a place: a named one may be a whole disk


def find_models(
    home: Path, also: Iterable[str], places: Iterable[tuple[Place, Path]] | None = None
) -> tuple[list[ModelEntry], list[EngineError]]:
    """All models that are here, ours first, and what is to be told of places that cannot be read.

    places: of other programs; None: their usual ones.
    """
    found: dict[str, ModelEntry] = {}  # by id: a file that was taken over has that of its folder
    paths: set[str] = set()
    faults: list[EngineError] = []
    searched = [(Place.REDRAFT, home)]
    searched += [(Place.NAMED, Path(each).expanduser()) for each in also]
    searched += usual_places() if places is None else places
    for place, root in searched:
        if place is Place.NAMED and not root.exists():
            faults.append(_gone(root))
        try:
            for entry in _search(place, root, faults):
                if os.path.realpath(entry.path) not in paths:
                    found.setdefault(entry.id, entry)
                    paths.add(os.path.realpath(entry.path))
        except OSError as fault:
            faults.append(_unreadable(root, fault))
    return list(found.values()), faults


def usual_places() -> list[tuple[Place, Path]]:
    """The folders in which other programs keep models, as they document them."""
    home = Path.home()
    cache = _hf_home(home)
    local = Path(os.environ.get("LOCALAPPDATA") or home / ".cache")
    places = [
        (Place.HF_CACHE, Path(os.environ.get("HF_HUB_CACHE") or cache / "hub")),
        (Place.LM_STUDIO, home / ".lmstudio" / "models"),
        (Place.LM_STUDIO, home / ".cache" / "lm-studio" / "models"),
        (Place.OLLAMA, Path(os.environ.get("OLLAMA_MODELS") or home / ".ollama" / "models")),
        (Place.LLAMA_CPP, Path(os.environ.get("LLAMA_CACHE") or local / "llama.cpp")),
        (Place.TEXT_GENERATION_WEBUI, home / "text-generation-webui" / "user_data" / "models"),
        (Place.TEXT_GENERATION_WEBUI, home / "text-generation-webui" / "models"),
    ]
    if sys.platform == "linux":  # where its service runs as a user of its own
        places.append((Place.OLLAMA, Path("/usr/share/ollama/.ollama/models")))
    if sys.platform == "darwin":
        places.append((Place.LLAMA_CPP, home / "Library" / "Caches" / "llama.cpp"))
    return places


def _hf_home(home: Path) -> Path:
    if chosen := os.environ.get("HF_HOME"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else home / ".cache") / "huggingface"


def _search(place: Place, root: Path, faults: list[EngineError]) -> Iterator[ModelEntry]:
    """What is in a place. A folder that cannot be read is a fault and does not hide the others."""
    for path in _candidates(place, root):
        try:
            entry = folder_entry(path, place) if path.is_dir() else gguf_entry(path, place)
            files = _weights(path, root) if entry is None and path.is_dir() else ()
            found = [entry, *(gguf_entry(file, place) for file in files)]
        except OSError as fault:
            faults.append(_unreadable(path, fault))
            continue
        yield from (entry for entry in found if entry is not None)


def _candidates(place: Place, root: Path) -> Iterator[Path]:
    """Folders and files that may be models."""
    if root.is_file():
        yield root
    elif not root.is_dir():
        return
    elif place is Place.HF_CACHE:
        yield from _snapshots(root)
    elif place is Place.OLLAMA:
        yield from _ollama_blobs(root)
    elif place is Place.REDRAFT:
        yield from _own_folders(root)
    else:
        yield from _folders(root)


def _own_folders(root: Path) -> Iterator[Path]:
    """Not those with a dot in front, which are on their way."""
    paths = (path for path in sorted(root.iterdir()) if not path.name.startswith("."))
    return (path for path in paths if path.is_dir() and not path.is_symlink())


def _folders(root: Path) -> Iterator[Path]:
    """The folder and those below it, links left out."""
    for count, (at, names, _files) in enumerate(os.walk(root, followlinks=False)):
        depth = len(Path(at).relative_to(root).parts)
        names[:] = sorted(n for n in names if depth < _DEPTH and not n.startswith("."))
        if count == _MOST:
            return
        yield Path(at)


def _weights(folder: Path, root: Path) -> Iterator[Path]:
    """GGUF files in a folder that lie inside of `root`, whatever links say."""
    inside = os.path.realpath(root)
    for file in sorted(folder.glob("*.gguf")):
        if file.is_file() and Path(os.path.realpath(file)).is_relative_to(inside):
            yield file


def _snapshots(root: Path) -> Iterator[Path]:
    """The folders of single commits in the cache, whose files lie in the same repository's blobs."""
    for snapshot in sorted(root.glob("models--*/snapshots/*")):
        inside = os.path.realpath(snapshot.parents[1])
        files = [each for each in snapshot.rglob("*") if each.is_symlink() or each.is_file()]
        if files and all(Path(os.path.realpath(each)).is_relative_to(inside) for each in files):
            yield snapshot


def _ollama_blobs(root: Path) -> Iterator[Path]:
    """The weights that the manifests name. A blob has its digest as name."""
    for manifest in sorted(root.glob("manifests/*/*/*/*")):
        try:
            layers = json.loads(manifest.read_bytes())["layers"]
            digests = [x["digest"] for x in layers if x["mediaType"].endswith("image.model")]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        for digest in digests:
            name = str(digest).replace(":", "-")
            blob = root / "blobs" / name
            if Path(name).name == name and blob.is_file() and not blob.is_symlink():
                yield blob


def _gone(root: Path) -> EngineError:
    return EngineError(
        kind=ErrorKind.MODEL_MISSING,
        message=f"There is nothing at {root} any more.",
        remedy="Connect the disk again, or forget this place.",
    )


def _unreadable(root: Path, fault: OSError) -> EngineError:
    return EngineError(
        kind=ErrorKind.DISK,
        message=f"The folder {root} cannot be read: {fault.strerror or fault}.",
        remedy="Check the disk, or who may read the folder.",
        detail=str(fault),
    )
