"""What a model is, where it stands and what is done to it, in words."""

from __future__ import annotations

from app.state.models.amounts import size_text, speed_text, time_text
from app.state.models.work import Task, TaskPhase
from app.state.text import visible
from app.words import number, tr, tr_engine
from engine.messages import HashOrigin, JobKind, ModelEntry, ModelFormat, ModelState, Place

PERCENT = 100


def name_of(entry: ModelEntry) -> str:
    """With its weights: many builds of one model have the same name."""
    if entry.place is Place.BUNDLED:
        return tr("Demo model")
    name = visible(tr_engine(entry.name)) or visible(entry.id)
    is_told = not entry.weights or entry.weights in name
    return name if is_told else f"{name} · {visible(entry.weights)}"


def state_text(entry: ModelEntry) -> str:
    match entry.state:
        case ModelState.ON_OFFER:
            return tr("{size} to download", size=size_text(entry.size))
        case ModelState.PARTLY_HERE:
            return tr(
                "{done} of {size} are here",
                done=size_text(entry.present),
                size=size_text(entry.size),
            )
        case ModelState.HERE:
            return tr("Here · {size}", size=size_text(entry.size))
        case ModelState.READY:
            return tr("Ready to run · {size}", size=size_text(entry.size))
        case ModelState.BROKEN:
            return tr("Not whole")


def format_text(entry: ModelEntry) -> str:
    names = {
        ModelFormat.SAFETENSORS: tr("Safetensors"),
        ModelFormat.GGUF: tr("GGUF"),
        ModelFormat.PREPARED: tr("Prepared by Redraft"),
    }
    name, weights = names[entry.format], visible(entry.weights)
    return f"{name} · {weights}" if weights and weights not in name else name


def place_text(entry: ModelEntry) -> str:
    """Where it is, and whose it is."""
    names = {
        Place.NOWHERE: "",
        Place.BUNDLED: tr("It came with Redraft"),
        Place.REDRAFT: tr("In the folder of Redraft"),
        Place.HF_CACHE: tr("In the cache of Hugging Face, used where it is"),
        Place.LM_STUDIO: tr("Of LM Studio, used where it is"),
        Place.OLLAMA: tr("Of Ollama, used where it is"),
        Place.LLAMA_CPP: tr("Of llama.cpp, used where it is"),
        Place.TEXT_GENERATION_WEBUI: tr("Of text-generation-webui, used where it is"),
        Place.NAMED: tr("Named by you, used where it is"),
    }
    return names[entry.place]


def hash_text(entry: ModelEntry) -> str:
    names = {
        HashOrigin.RELEASE: tr("Checked against hashes that come with Redraft"),
        HashOrigin.HUB: tr("Checked against the hashes that the hub publishes"),
        HashOrigin.OWN: tr("Checked against hashes noted when it was written here"),
        HashOrigin.NONE: tr("Nobody has published hashes to check it against"),
    }
    return names[entry.hashes]


def facts(entry: ModelEntry) -> tuple[tuple[str, str], ...]:
    """What one wants to know of a model, by name; only what is known."""
    origin = f"{entry.repo} @ {entry.revision[:10]}" if entry.revision else entry.repo
    rows = (
        (tr("Size"), size_text(entry.size)),
        (tr("Format"), format_text(entry)),
        (tr("Licence"), visible(entry.licence)),
        (tr("From"), visible(origin)),
        (tr("Place"), place_text(entry)),
        (tr("Folder"), visible(entry.path) if entry.place is not Place.BUNDLED else ""),
        (tr("Content"), hash_text(entry) if entry.place is not Place.BUNDLED else ""),
    )
    return tuple((name, value) for name, value in rows if value)


def kind_text(kind: JobKind) -> str:
    match kind:
        case JobKind.DOWNLOAD:
            return tr("Downloading")
        case JobKind.PREPARE:
            return tr("Preparing")
        case JobKind.CHECK | JobKind.VERIFY:
            return tr("Checking the files")
        case JobKind.MOVE:
            return tr("Moving")
        case JobKind.DELETE:
            return tr("Deleting")
        case _:
            return tr("Looking")


def percent_of(task: Task) -> int | None:
    """How far it is; None while that is not known."""
    progress = task.progress
    if progress is None or not progress.total:
        return None
    return min(PERCENT, PERCENT * progress.done // progress.total)


def short_task_text(task: Task) -> str:
    """For a row of the list: Downloading · 45 %."""
    percent = percent_of(task)
    share = "" if percent is None else " · " + tr("{number} %", number=percent)
    match task.phase:
        case TaskPhase.PAUSED:
            return tr("Paused") + share
        case TaskPhase.FAILED:
            return tr("Interrupted") + share
        case _:
            return kind_text(task.kind) + share


def task_text(task: Task) -> str:
    """One line on how it goes: 4.2 of 17.2 GB · 12 MB a second · about 20 minutes left."""
    progress = task.progress
    match task.phase:
        case TaskPhase.PAUSING:
            return tr("Stopping; what is there is kept")
        case TaskPhase.PAUSED:
            return tr("Paused. It goes on where it stopped, also after a restart.")
        case TaskPhase.FAILED:
            return ""
    if progress is None:
        return tr("Starting")
    what = tr_engine(progress.what)
    parts = [] if what == kind_text(task.kind) else [what]
    if progress.total:
        done, total = size_text(progress.done), size_text(progress.total)
        parts.append(tr("{done} of {size}", done=done, size=total))
    if progress.wait:
        parts.append(tr("next try in {seconds} s", seconds=number(progress.wait)))
    if progress.speed:
        parts.append(speed_text(progress.speed))
    if progress.seconds_left is not None:
        parts.append(tr("{time} left", time=time_text(progress.seconds_left)))
    return " · ".join(parts)
