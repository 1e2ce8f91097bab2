"""What each job is: the one place that knows them all. No torch here; children bring it along."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

from engine.checkpoint.durable import NOTE
from engine.checkpoint.manifest import COMPLETE
from engine.child import run_in_child
from engine.faults import disk_fault
from engine.folders import model_folder, require_disk
from engine.memory import read_wish, weight_bytes
from engine.messages import (
    Checked,
    Compared,
    Hardware,
    JobKind,
    JobRequest,
    JobResult,
    Place,
    PreparedModel,
)
from engine.messages.plain import from_plain
from engine.service import Cancelled, JobReport
from engine.store.asking import ask
from engine.store.catalogue import Offer
from engine.store.entries import folder_entry
from engine.store.fetching import fetch_model
from engine.store.keep import delete, folder_of, move
from engine.store.library import library, look_up
from engine.store.note import Note, clear_if_empty, read_note, write_note

_NEED_HOME = (
    JobKind.LIBRARY,
    JobKind.LOOK_UP,
    JobKind.DOWNLOAD,
    JobKind.DELETE,
    JobKind.MOVE,
    JobKind.PREPARE,
)
_SETTLED = 2.0  # seconds; a speed measured over less says nothing


def run_job(request: JobRequest, report: JobReport, cancelled: Cancelled) -> JobResult:
    """The jobs of the service's job workers. Raises EngineFault."""
    home = Path(request.home)
    if request.kind in _NEED_HOME and not home.is_absolute():
        raise ValueError(f"{request.kind} needs the folder that keeps models")
    match request.kind:
        case JobKind.LIBRARY:
            return library(home, request.also)
        case JobKind.LOOK_UP:
            return ask(lambda: look_up(request.model, home, request.options), cancelled)
        case JobKind.DOWNLOAD:
            return fetch_model(request, report, cancelled)
        case JobKind.DELETE:
            return delete(request.model, home)
        case JobKind.MOVE:
            return move(request.model, home, report, cancelled)
        case JobKind.PREPARE:
            return _prepare(request, report, cancelled)
        case JobKind.CHECK:
            return from_plain(Checked, run_in_child(_placed(request), report, cancelled))
        case JobKind.VERIFY:
            return _compared(request, run_in_child(_placed(request), report, cancelled))
        case JobKind.DOCTOR:
            return from_plain(Hardware, run_in_child(request, report, cancelled))
        case _:
            assert_never(request.kind)


def _placed(request: JobRequest) -> JobRequest:
    """The request with the model's folder in place of its id."""
    place = Path(request.model)
    if not place.is_absolute() and request.model != "demo" and not place.is_dir():
        place = folder_of(request.model, Path(request.home))
    else:
        place = model_folder(request.model)
    return replace(request, model=str(place))


def _prepare(request: JobRequest, report: JobReport, cancelled: Cancelled) -> PreparedModel:
    """Prepares a model into a folder of its own beside the others; goes on where it was stopped."""
    home, source = Path(request.home), Path(_placed(request).model)
    note = read_note(source)
    if note is not None and note.prepared_from and source.parent == home:  # begun: the same again
        source, target = Path(note.prepared_from), source
        weights, offer = note.offer.weights, note.offer
    else:
        weights = request.weights
        target = home / f"{_name_of(source)}--{weights}"
        offer = _prepared_offer(source, weights)
    require_disk(target)
    wish = read_wish(source / "config.json", weights=weights, context=1)
    size = weight_bytes(wish.config, wish.scheme, "bfloat16")
    asked = replace(request, model=str(source), home=str(target), weights=weights)
    try:
        if not (target / NOTE).exists() and not (target / COMPLETE).exists():
            write_note(target, Note(offer=offer, size=size, commit="", prepared_from=str(source)))
        outcome = run_in_child(asked, _timed(report), cancelled)
        entry = folder_entry(target, Place.REDRAFT)
    except OSError as fault:
        raise disk_fault(fault) from fault
    finally:
        clear_if_empty(target)
    assert entry is not None
    return PreparedModel(
        model=entry,
        source=str(source),
        source_size=sum(each.stat().st_size for each in source.rglob("*") if each.is_file()),
        exact=outcome["exact"],
        rounded=outcome["rounded"],
    )


def _timed(report: JobReport) -> JobReport:
    """Says with the progress of preparing how fast it is, since it began or went on."""
    start: list[tuple[float, int]] = []

    def tell(_what: str, done: int, total: int, /, **_more: object) -> None:
        now = time.monotonic()
        if not start:
            start.append((now, done))
        seconds, made = now - start[0][0], done - start[0][1]
        speed = made / seconds if seconds > _SETTLED else 0.0
        left = (total - done) / speed if speed else None
        report("Preparing", done, total, speed=speed, seconds_left=left)

    return tell


def _name_of(source: Path) -> str:
    """A snapshot of the hub's cache has a commit as name, and the model's two folders above."""
    if source.parent.name == "snapshots":
        return source.parents[1].name.removeprefix("models--")
    return source.name


def _prepared_offer(source: Path, weights: str) -> Offer:
    note = read_note(source)
    if note is not None:
        return replace(note.offer, id=f"{note.offer.id}--{weights}", weights=weights)
    return Offer(id=f"{source}--{weights}", name=_name_of(source), repo="", weights=weights)


def _compared(request: JobRequest, outcome: dict[str, Any]) -> Compared:
    return Compared(
        path=request.model,
        method=str(outcome["method"]),
        max_abs_logit_difference=outcome["max_abs_logit_difference"],
        generations_equal=outcome["generations_equal"],
    )
