"""The job that fetches a model: which files, into which folder, and what is said on the way."""

from __future__ import annotations

import os
from pathlib import Path

from engine.faults import disk_fault
from engine.folders import require_disk
from engine.messages import (
    Downloaded,
    EngineFault,
    ErrorKind,
    JobRequest,
    ModelFormat,
    Place,
)
from engine.service import Cancelled, JobReport
from engine.store.asking import ask
from engine.store.catalogue import Offer, list_offer
from engine.store.download import Settings, download
from engine.store.entries import folder_entry, gguf_entry
from engine.store.hub import Listing
from engine.store.library import described, find_offer, hub_of, settings_repo
from engine.store.note import Note, clear_if_empty, write_note
from engine.store.pace import Control, Progress


def fetch_model(
    request: JobRequest,
    report: JobReport,
    cancelled: Cancelled,
    settings: Settings = Settings(),
) -> Downloaded:
    """Fetches what `request.model` means into a folder of its own in `request.home`.

    Cancelling pauses it. A GGUF file of another program is taken over in place, and only the
    settings of its model are fetched. Raises EngineFault.
    """
    home, weights = Path(request.home), Path(request.model)
    require_disk(home)
    if weights.is_absolute() and weights.is_file():
        return _take_over(weights, home, request, report, cancelled, settings)
    offer = find_offer(request.model, home)
    return _fetch(offer, home / offer.folder, request, report, cancelled, settings)


def _fetch(
    offer: Offer,
    folder: Path,
    request: JobRequest,
    report: JobReport,
    cancelled: Cancelled,
    settings: Settings,
) -> Downloaded:
    hub = hub_of(request.options)
    report("Asking the hub", 0, 0)
    listing = ask(lambda: list_offer(hub, offer), cancelled)
    offer = described(offer, listing)
    repaired: set[str] = set()
    control = Control(
        stop=cancelled,
        limit=lambda: request.options.speed_limit,
        progress=lambda progress: _tell(report, progress),
        repaired=repaired.add,
    )
    try:
        write_note(folder, _note(offer, listing, folder))
        download(hub, listing, folder, control, settings)
        entry = folder_entry(folder, Place.REDRAFT)
    except OSError as fault:
        raise disk_fault(fault) from fault
    finally:
        clear_if_empty(folder)
    if entry is None:
        raise _no_model(folder)
    return Downloaded(model=entry, repaired=tuple(sorted(repaired)))


def _note(offer: Offer, listing: Listing, folder: Path) -> Note:
    fetched = {file.name for file in listing.files}
    linked = [each for each in folder.glob("*.gguf") if each.name not in fetched]
    size = sum(file.size for file in listing.files) + sum(each.stat().st_size for each in linked)
    return Note(offer=offer, size=size, commit=listing.commit)


def _tell(report: JobReport, progress: Progress) -> None:
    left = (progress.total - progress.done) / progress.speed if progress.speed > 0 else None
    if progress.wait:
        report(
            "Waiting for the connection",
            progress.done,
            progress.total,
            file=progress.file,
            wait=progress.wait,
        )
    elif progress.speed > 0:
        report(
            "Downloading",
            progress.done,
            progress.total,
            file=progress.file,
            speed=progress.speed,
            seconds_left=left,
        )
    else:
        report("Checking what is here", progress.done, progress.total, file=progress.file)


def _take_over(
    weights: Path,
    home: Path,
    request: JobRequest,
    report: JobReport,
    cancelled: Cancelled,
    settings: Settings,
) -> Downloaded:
    """A folder of ours with a link to the weights, and the settings from the hub beside it."""
    entry = gguf_entry(weights, Place.NAMED)
    if entry is None:
        raise _no_model(weights)
    offer = Offer(
        id=str(weights),
        name=entry.name,
        repo=settings_repo(),
        format=ModelFormat.GGUF,
        weights=entry.weights,
        files=("*config.json", "tokenizer.json", "special_tokens_map.json", "*.jinja"),
    )
    folder = home / f"linked--{weights.stem}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _link(weights, folder / f"{weights.stem}.gguf")
    except OSError as fault:
        raise disk_fault(fault) from fault
    return _fetch(offer, folder, request, report, cancelled, settings)


def _link(weights: Path, name: Path) -> None:
    """Two names of one file where the disk allows it, else a link. Raises OSError."""
    if name.exists() and name.samefile(weights):
        return
    name.unlink(missing_ok=True)
    try:
        os.link(weights, name)
    except OSError:  # another disk, or one that knows no second names
        name.symlink_to(weights)


def _no_model(path: Path) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_UNSUPPORTED,
        "Redraft runs models of the kind DiffusionGemma, and this is another one.",
        "Choose another model.",
        str(path),
    )
