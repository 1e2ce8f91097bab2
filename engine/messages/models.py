"""Models: which are here, which are on offer, and what came of a job done to one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.messages.errors import EngineError


class ModelFormat(Enum):
    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    PREPARED = "prepared"  # our own files, the fastest to load


class ModelState(Enum):
    ON_OFFER = "on_offer"  # nothing of it is here
    PARTLY_HERE = "partly_here"  # a download or a preparation that goes on where it stopped
    HERE = "here"  # whole; to be prepared before it runs well
    READY = "ready"
    BROKEN = "broken"  # files are missing or have another size than they should


class Place(Enum):
    """Where a model was found."""

    NOWHERE = "nowhere"  # on offer only
    BUNDLED = "bundled"  # it came with Redraft
    REDRAFT = "redraft"  # in the folder in which Redraft keeps models
    HF_CACHE = "hf_cache"
    LM_STUDIO = "lm_studio"
    OLLAMA = "ollama"
    LLAMA_CPP = "llama_cpp"
    TEXT_GENERATION_WEBUI = "text_generation_webui"
    NAMED = "named"  # the user has named it


class HashOrigin(Enum):
    """What the bytes of a model are held against."""

    RELEASE = "release"  # hashes that come with this version of Redraft
    HUB = "hub"  # those that the hub publishes
    OWN = "own"  # those noted when the files were written here
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that is here or on offer."""

    id: str  # names it in a JobRequest: of the catalogue, "owner/name@revision", or its path
    name: str  # for people
    format: ModelFormat
    weights: str  # for people: "BF16", "NVFP4", "GGUF Q4_K_M"
    state: ModelState
    size: int  # bytes of the whole, as it is or will be on the disk
    present: int = 0  # bytes of it that are here
    path: str = ""  # names it in a LoadRequest; empty where nothing of it is here
    place: Place = Place.NOWHERE
    repo: str = ""  # owner/name on the hub
    revision: str = ""  # a commit, or a branch where no commit is known
    licence: str = ""
    gated: bool = False  # the hub gives it to those alone who have asked for it there
    hashes: HashOrigin = HashOrigin.NONE
    note: str = ""  # a sentence on what is special about it
    config: str = ""  # path of its config.json, for `engine.memory.read_wish`; empty: not known
    scheme: str = "int4"  # the weights it will have in memory, for the memory plan
    schemes: tuple[str, ...] = ()  # what it can be prepared to; empty: nothing
    is_ours: bool = False  # Redraft put it there, and may move and delete it


@dataclass(frozen=True, kw_only=True)
class Library:
    """All models, those that are here first."""

    models: tuple[ModelEntry, ...]
    home: str  # the folder in which Redraft keeps models
    free: int  # bytes free on its disk; -1 where the disk is not there
    notices: tuple[EngineError, ...] = ()  # such as a damaged catalogue; the rest is there


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    model: ModelEntry
    repaired: tuple[str, ...] = ()  # files of which something was damaged and fetched again


@dataclass(frozen=True, kw_only=True)
class PreparedModel:
    model: ModelEntry
    source: str  # path of what it was made from, which may be deleted now
    source_size: int  # bytes
    exact: int  # tensors whose numbers were taken over without rounding
    rounded: int  # the others


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The files of a model, held against their hashes."""

    path: str
    files: int  # that were read and are as they should be
    damaged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()  # files nobody has a hash of

    @property
    def is_whole(self) -> bool:
        return not self.damaged and not self.missing


@dataclass(frozen=True, kw_only=True)
class Compared:
    """This engine against transformers, on the same weights."""

    path: str
    method: str
    max_abs_logit_difference: float | None
    generations_equal: bool | None  # None where none were compared


@dataclass(frozen=True, kw_only=True)
class Deleted:
    path: str
    freed: int  # bytes


@dataclass(frozen=True, kw_only=True)
class Moved:
    model: ModelEntry
