"""The library: what is here and on offer, and what a name means that somebody has typed.

Nothing here asks the network but `look_up`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.folders import free_at
from engine.messages import (
    EngineFault,
    ErrorKind,
    JobOptions,
    Library,
    ModelEntry,
    ModelFormat,
    ModelState,
    Place,
)
from engine.store.catalogue import CATALOGUE, Offer, list_offer, read_catalogue
from engine.store.download import download
from engine.store.entries import MODEL_TYPE, demo_entry, folder_entry, offer_entry
from engine.store.find import find_models
from engine.store.hub import Hub, Listing
from engine.store.note import read_note

LOOKED_UP = ".looked-up"  # in the folder of models: settings of models somebody has asked about
_REPO = re.compile(r"(\w[\w.-]*/\w[\w.-]*?)(?:@([\w./-]+))?(?::([\w.*-]+))?")
_RUNNABLE = (ModelState.READY, ModelState.HERE)


def library(
    home: Path,
    also: Iterable[str] = (),
    *,
    catalogue: Path = CATALOGUE,
    places: Iterable[tuple[Place, Path]] | None = None,
) -> Library:
    """The demo model, what is here, and what is on offer and not here."""
    offers, damaged = read_catalogue(catalogue)
    here, faults = find_models(home, also, places)
    here.sort(key=lambda entry: entry.state not in _RUNNABLE)
    ours = {entry.id for entry in here}
    on_offer = [offer_entry(offer) for offer in offers if offer.id not in ours]
    return Library(
        models=(demo_entry(), *here, *on_offer),
        home=str(home),
        free=free_at(home),
        notices=tuple(each for each in (damaged, *faults) if each is not None),
    )


def find_offer(model: str, home: Path, *, catalogue: Path = CATALOGUE) -> Offer:
    """What `JobRequest.model` means: of the catalogue, of a folder of ours, or a repository.

    Raises EngineFault where it means nothing.
    """
    offers, _ = read_catalogue(catalogue)
    for offer in offers:
        if offer.id == model:
            return offer
    note = read_note(Path(model)) if Path(model).is_absolute() else None
    if note is not None:
        return note.offer
    found = _REPO.fullmatch(model.strip().removeprefix("https://huggingface.co/").rstrip("/"))
    if found is None:
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            "This is not the name of a model on the hub.",
            "Names look like owner/model.",
            model,
        )
    offer = _named(found[1], found[2] or "main", found[3] or "")
    note = read_note(home / offer.folder)
    return note.offer if note is not None and note.offer.id == offer.id else offer


def look_up(
    model: str, home: Path, options: JobOptions, *, catalogue: Path = CATALOGUE
) -> ModelEntry:
    """What the hub says of a repository, with its settings for the memory plan. Raises EngineFault."""
    offer = find_offer(model, home, catalogue=catalogue)
    folder = home / offer.folder
    if folder.is_dir() and (entry := folder_entry(folder, Place.REDRAFT)) is not None:
        return entry
    hub = hub_of(options)
    listing = list_offer(hub, offer)
    entry = offer_entry(described(offer, listing))
    return replace(entry, revision=listing.commit, config=_config_of(hub, offer, listing, home))


def described(offer: Offer, listing: Listing) -> Offer:
    """The offer with what the hub says of it."""
    return replace(
        offer,
        size=sum(file.size for file in listing.files),
        licence=offer.licence or listing.licence,
        gated=listing.gated,
    )


def hub_of(options: JobOptions) -> Hub:
    """Raises EngineFault for an endpoint that is no address."""
    return Hub(endpoint=options.endpoint, token=options.token or None)


def _named(repo: str, revision: str, pattern: str) -> Offer:
    """A repository that somebody has named. pattern: of a GGUF file."""
    at = "" if revision == "main" else f"@{revision}"
    which = f":{pattern}" if pattern else ""
    own = Offer(id=f"{repo}{at}{which}", name=repo, repo=repo, revision=revision)
    if not pattern:
        return own
    return replace(
        own,
        format=ModelFormat.GGUF,
        weights=f"GGUF {pattern.strip('*')}",
        files=(f"*{pattern}*.gguf",),
        settings=settings_repo(),
    )


def settings_repo(catalogue: Path = CATALOGUE) -> str:
    """Where the settings come from that a GGUF file lacks; empty where nobody knows."""
    offers, _ = read_catalogue(catalogue)
    return next((offer.settings for offer in offers if offer.settings), "")


def _config_of(hub: Hub, offer: Offer, listing: Listing, home: Path) -> str:
    """Path of the model's config.json. Raises EngineFault where it is of another kind."""
    wanted = tuple(file for file in listing.files if file.name == "config.json")
    if not wanted:
        return offer.config_file
    folder = home / LOOKED_UP / offer.folder
    download(hub, replace(listing, files=wanted), folder)
    try:
        config = json.loads((folder / "config.json").read_bytes())
        kind = config.get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError):
        kind = None
    if kind != MODEL_TYPE:
        raise EngineFault(
            ErrorKind.MODEL_UNSUPPORTED,
            "Redraft runs models of the kind DiffusionGemma, and this is another one.",
            "Choose another model.",
            f"{offer.repo}: {kind!r:.80}",
        )
    return str(folder / "config.json")
