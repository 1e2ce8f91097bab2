"""Which models are on offer: `assets/catalogue.json`, read, and refreshed by a maintainer.

A file whose digests the catalogue knows is held against those, whatever the hub says by then. Where
it knows none, those count that the hub publishes.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from engine.checkpoint.durable import write_file
from engine.messages import EngineError, EngineFault, ErrorKind, ModelFormat
from engine.messages.plain import from_plain, to_plain
from engine.store.hub import Hub, Listing, RemoteFile, list_files

_ASSETS = Path(__file__).resolve().parents[2] / "assets"
CATALOGUE = _ASSETS / "catalogue.json"
_FORMAT = 1
_LONGEST = 120  # letters of a folder's name
# What of a repository belongs to a model: weights, settings, texts. Never a program.
_WANTED = ("*.safetensors", "*.json", "*.jinja", "LICENSE*", "NOTICE*")
_SETTINGS = ("*config.json", "tokenizer.json", "special_tokens_map.json", "*.jinja", "LICENSE*")


@dataclass(frozen=True, kw_only=True)
class Digest:
    name: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A model of the catalogue, or one that the user has named."""

    id: str
    name: str
    repo: str
    revision: str = "main"
    format: ModelFormat = ModelFormat.SAFETENSORS
    weights: str = ""  # for people
    size: int = 0  # bytes, about
    licence: str = ""
    gated: bool = False
    note: str = ""
    config: str = ""  # a file in the assets, for the memory plan before anything is fetched
    files: tuple[str, ...] = ()  # patterns of names; empty: all that belongs to a model
    settings: str = ""  # the repository with the settings that this one lacks
    digests: tuple[Digest, ...] = ()  # of the files at `revision`

    def wants(self, name: str) -> bool:
        return any(fnmatchcase(name, each) for each in self.files or _WANTED) and "/" not in name

    @property
    def folder(self) -> str:
        """The name of its folder: one name, whatever the repository is called."""
        kind = f"--{self.weights}" if self.format is ModelFormat.GGUF else ""
        name = f"{self.repo}{kind}".replace("/", "--")
        return re.sub(r"[^\w.-]+", "-", name).strip(".")[:_LONGEST] or "model"

    @property
    def config_file(self) -> str:
        return str(_ASSETS / self.config) if self.config else ""


def read_catalogue(file: Path = CATALOGUE) -> tuple[tuple[Offer, ...], EngineError | None]:
    """All offers, or none and what is to be told of a file that cannot be read."""
    try:
        content = json.loads(file.read_bytes())
        if content["format"] != _FORMAT:
            raise ValueError(f"it has the format {content['format']}")
        offers = tuple(from_plain(Offer, each) for each in content["models"])
        if len({offer.id for offer in offers}) != len(offers):
            raise ValueError("an id appears twice")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as fault:
        damaged = EngineError(
            kind=ErrorKind.MODEL_BROKEN,
            message="The list of models on offer cannot be read.",
            remedy="Install Redraft again. The demo model and the models on this PC still work.",
            detail=f"{file}: {type(fault).__name__}: {fault}",
        )
        return (), damaged
    return offers, None


def list_offer(hub: Hub, offer: Offer) -> Listing:
    """The files of an offer as the hub has them now. Raises EngineFault.

    What comes from the repository of settings is asked for there.
    """
    listing = list_files(hub, offer.repo, offer.revision)
    chosen = [file for file in listing.files if offer.wants(file.name)]
    has_weights = any(file.name.endswith((".safetensors", ".gguf")) for file in chosen)
    if not chosen or not (has_weights or offer.files):
        raise EngineFault(
            ErrorKind.MODEL_UNSUPPORTED,
            "This repository holds no weights that Redraft can read.",
            "Choose one with safetensors or GGUF files of DiffusionGemma.",
            offer.repo,
        )
    if offer.settings:
        names = {file.name for file in chosen}
        other = list_files(hub, offer.settings)
        chosen += [
            replace(file, repo=other.repo, commit=other.commit)
            for file in other.files
            if file.name not in names and any(fnmatchcase(file.name, each) for each in _SETTINGS)
        ]
    known = {digest.name: digest for digest in offer.digests}
    return replace(listing, files=tuple(_pinned(file, known.get(file.name)) for file in chosen))


def refresh(hub: Hub, file: Path = CATALOGUE) -> list[str]:
    """Asks the hub about every offer and writes down commit, sizes and digests. For maintainers.

    Returns a line for each offer. Raises EngineFault, and OSError.
    """
    offers, damaged = read_catalogue(file)
    if damaged is not None:
        raise EngineFault(damaged.kind, damaged.message, damaged.remedy, damaged.detail)
    fresh, said = [], []
    for offer in offers:
        listing = list_offer(hub, replace(offer, revision="main", digests=()))
        own = [each for each in listing.files if not each.repo and each.sha256]
        found = replace(
            offer,
            revision=listing.commit,
            size=sum(each.size for each in listing.files),
            digests=tuple(Digest(name=x.name, size=x.size, sha256=x.sha256) for x in own),
        )
        fresh.append(found)
        said.append(f"{offer.id}: {'as before' if found == offer else listing.commit}")
    content = {"format": _FORMAT, "models": [_without_defaults(offer) for offer in fresh]}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_file(file, [text.encode()])
    return said


def _pinned(file: RemoteFile, known: Digest | None) -> RemoteFile:
    """The file with what the catalogue knows of it. Raises EngineFault where the hub disagrees."""
    if known is None or (known.sha256, known.size) == (file.sha256, file.size):
        return file
    raise EngineFault(
        ErrorKind.MODEL_BROKEN,
        f"The hub offers another {file.name} than the one that this version of Redraft knows.",
        "Update Redraft, or choose another build of the model.",
        f"known {known.sha256}, offered {file.digest}",
    )


def _without_defaults(offer: Offer) -> dict[str, object]:
    plain: dict[str, object] = to_plain(offer)
    nothing = asdict(Offer(id="", name="", repo=""))
    return {name: value for name, value in plain.items() if value != to_plain(nothing[name])}
