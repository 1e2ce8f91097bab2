"""A folder or a GGUF file becomes an entry of the library: what it is, and how much of it is here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from engine.checkpoint.durable import NOTE, PART
from engine.checkpoint.manifest import COMPLETE, Manifest, read_manifest
from engine.folders import DEMO, model_folder
from engine.messages import HashOrigin, ModelEntry, ModelFormat, ModelState, Place
from engine.quant.scheme import PLAIN, SCHEMES
from engine.store.catalogue import Offer
from engine.store.gguf import read_facts
from engine.store.names import BLOCKS, LOCKS, RECORD
from engine.store.note import Note, read_note
from engine.store.record import read_record

ARCHITECTURE = "diffusion-gemma"  # in GGUF files
MODEL_TYPE = "diffusion_gemma"  # in a config.json
WAYS = ("int4", "int4-small", "int8")  # what a checkpoint can be prepared to
_JOURNAL = "progress.json"
_OWN = (*LOCKS, RECORD, NOTE, _JOURNAL, COMPLETE)
_QUANT = re.compile(r"(?:^|[-_.])((?:I?Q\d|BF16|F16|F32)[A-Z0-9_]*)(?=[-_.]|$)", re.I)
_LARGEST_JSON = 4 << 20  # bytes


def demo_entry() -> ModelEntry:
    folder = model_folder(DEMO)
    size = _size(folder)
    return ModelEntry(
        id=DEMO,
        name="Demo model",
        format=ModelFormat.SAFETENSORS,
        weights="F32",
        state=ModelState.READY,
        size=size,
        present=size,
        path=DEMO,
        place=Place.BUNDLED,
        licence="Apache-2.0",
        note="Real, but tiny: it shows how Redraft feels, and knows almost nothing.",
        config=str(folder / "config.json"),
        scheme=PLAIN,
    )


def offer_entry(offer: Offer) -> ModelEntry:
    """A model of which nothing is here."""
    return ModelEntry(
        id=offer.id,
        name=offer.name,
        format=offer.format,
        weights=offer.weights,
        state=ModelState.ON_OFFER,
        size=offer.size,
        repo=offer.repo,
        revision=offer.revision,
        licence=offer.licence,
        gated=offer.gated,
        hashes=HashOrigin.RELEASE if offer.digests else HashOrigin.HUB,
        note=offer.note,
        config=offer.config_file,
        schemes=WAYS,
    )


def folder_entry(folder: Path, place: Place) -> ModelEntry | None:
    """What a folder holds; None for what is no model of ours to run. Raises OSError."""
    note = read_note(folder)
    if (folder / COMPLETE).is_file() or (folder / _JOURNAL).is_file():
        return _prepared_entry(folder, place, note)
    if note is not None and note.prepared_from:
        return _prepared_entry(folder, place, note)
    if note is not None:
        return _download_entry(folder, place, note)
    return _foreign_entry(folder, place)


def gguf_entry(file: Path, place: Place) -> ModelEntry | None:
    """A GGUF file by itself, in a folder of another program. Raises OSError."""
    facts = read_facts(file)
    if facts is None or facts.architecture != ARCHITECTURE:
        return None
    size = file.stat().st_size
    return ModelEntry(
        id=str(file),
        name=file.stem,
        format=ModelFormat.GGUF,
        weights=_gguf_weights(file.name),
        state=ModelState.PARTLY_HERE,
        size=size,
        present=size,
        path=str(file),
        place=place,
        note="Its weights are here; the settings of the model are still to be fetched (32 MB).",
        schemes=WAYS,
    )


def _prepared_entry(folder: Path, place: Place, note: Note | None) -> ModelEntry:
    manifest = _manifest(folder)
    present = _size(folder)
    listed = sum(record.size for record in manifest.files) if manifest else 0
    is_done = (folder / COMPLETE).is_file()
    state = ModelState.READY if is_done else ModelState.PARTLY_HERE
    if is_done and (
        manifest is None or not all(_is_there(folder, x.name, x.size) for x in manifest.files)
    ):
        state = ModelState.BROKEN
    scheme = _scheme_name(manifest) if manifest else WAYS[0]
    return ModelEntry(
        id=str(folder),
        name=note.offer.name if note else folder.name,
        format=ModelFormat.PREPARED,
        weights=scheme.upper(),
        state=state,
        size=listed if is_done else max(note.size if note else 0, present),
        present=present,
        path=str(folder),
        place=place,
        repo=note.offer.repo if note else "",
        revision=note.commit if note else "",
        licence=note.offer.licence if note else "",
        hashes=HashOrigin.OWN,
        config=_config(folder, note),
        scheme=scheme,
        is_ours=place is Place.REDRAFT,
    )


def _download_entry(folder: Path, place: Place, note: Note) -> ModelEntry:
    record, present = read_record(folder), _size(folder)
    state = ModelState.PARTLY_HERE
    if record:
        is_whole = all(_is_there(folder, x.name, x.size) for x in record.values())
        state = ModelState.HERE if is_whole else ModelState.BROKEN
    offer = note.offer
    return ModelEntry(
        id=offer.id,
        name=offer.name,
        format=offer.format,
        weights=offer.weights or _weights(folder),
        state=state,
        size=note.size,
        present=min(present, note.size),
        path=str(folder),
        place=place,
        repo=offer.repo,
        revision=note.commit,
        licence=offer.licence,
        gated=offer.gated,
        hashes=HashOrigin.RELEASE if offer.digests else HashOrigin.HUB,
        config=_config(folder, note),
        schemes=WAYS,
        is_ours=place is Place.REDRAFT,
    )


def _foreign_entry(folder: Path, place: Place) -> ModelEntry | None:
    """A checkpoint that something else has put there, with its config.json."""
    config = _json(folder / "config.json")
    if config.get("model_type") != MODEL_TYPE:
        return None
    weights = sorted([*folder.glob("*.safetensors"), *folder.glob("*.gguf")])
    if not weights:
        return None
    shards = set(_json(folder / "model.safetensors.index.json").get("weight_map", {}).values())
    is_whole = all((folder / str(name)).is_file() for name in shards)
    has_texts = (folder / "tokenizer.json").is_file()
    size = _size(folder)
    return ModelEntry(
        id=str(folder),
        name=_cache_name(folder) or folder.name,
        format=ModelFormat.GGUF if weights[0].suffix == ".gguf" else ModelFormat.SAFETENSORS,
        weights=_weights(folder),
        state=ModelState.HERE if is_whole and has_texts else ModelState.BROKEN,
        size=size,
        present=size,
        path=str(folder),
        place=place,
        repo=_cache_name(folder),
        revision=folder.name if _cache_name(folder) else "",
        hashes=HashOrigin.HUB if _cache_name(folder) else HashOrigin.NONE,
        config=str(folder / "config.json"),
        schemes=WAYS,
        is_ours=place is Place.REDRAFT,
    )


def _weights(folder: Path) -> str:
    """The kind of the weights, for people."""
    if files := sorted(folder.glob("*.gguf")):
        return _gguf_weights(files[0].name)
    config = _json(folder / "config.json")
    quantised = config.get("quantization_config")
    if (folder / "hf_quant_config.json").is_file():
        return "NVFP4"
    if not isinstance(quantised, dict):
        return {"bfloat16": "BF16", "float16": "F16"}.get(str(config.get("dtype")), "F32")
    method = str(quantised.get("quant_algo") or quantised.get("format") or "").lower()
    known = {"nvfp4": "NVFP4", "float": "FP8", "fp8": "FP8", "int": "INT8", "pack": "INT4"}
    return next((name for mark, name in known.items() if mark in method), "quantised")


def _gguf_weights(name: str) -> str:
    found = _QUANT.search(name.removesuffix(".gguf"))
    return f"GGUF {found[1].upper()}" if found else "GGUF"


def _cache_name(folder: Path) -> str:
    """owner/name of a snapshot in the cache of huggingface-hub, else empty."""
    if folder.parent.name != "snapshots":
        return ""
    kind, _, name = folder.parent.parent.name.partition("--")
    return name.replace("--", "/") if kind == "models" else ""


def _scheme_name(manifest: Manifest) -> str:
    return next((name for name, each in SCHEMES.items() if each == manifest.scheme), WAYS[0])


def _manifest(folder: Path) -> Manifest | None:
    for name in (COMPLETE, _JOURNAL):
        try:
            return read_manifest(folder / name)
        except (OSError, ValueError):
            continue
    return None


def _config(folder: Path, note: Note | None) -> str:
    own = folder / "config.json"
    if own.is_file():
        return str(own)
    return note.offer.config_file if note else ""


def _is_there(folder: Path, name: str, size: int) -> bool:
    path = folder / name
    return path.is_file() and path.stat().st_size == size


def _size(folder: Path) -> int:
    """Bytes of all files of a model, finished or not."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in _OWN
        and not path.name.endswith((BLOCKS, NOTE + PART))
    )


def _json(file: Path) -> dict[str, Any]:
    """A JSON object, or nothing where there is none that can be read."""
    try:
        if file.stat().st_size > _LARGEST_JSON:
            return {}
        data = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
