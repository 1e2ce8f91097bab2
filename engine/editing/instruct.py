"""Writing without pins: the model answers a request, and the answer is the new text.

This is how a selection is rewritten, and what is left for a gap when nothing that was written
between its fixed ends passed its checks.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import torch

from engine.denoise import FREE, Constraints
from engine.editing.infill import Filled, Surroundings, is_good, text_checks
from engine.editing.job import Cell, Job
from engine.editing.length import base_constraints
from engine.editing.prompts import passage_only_words
from engine.editing.ranking import penalty
from engine.editing.seams import overlap_before, overlap_behind
from engine.editing.soft_pins import Pinned, settle_words
from engine.messages import RequestEvent, Span

MOST_CANVASES = 4  # of one answer
AROUND = 4000  # characters of the document that the fallback's prompt shows on each side
LABEL = 1000  # the fallback's candidate, apart from those that failed


def answers(
    job: Job,
    prompt: Sequence[int],
    *,
    rows: int,
    span: int,
    seed: int,
    label: int = 0,
    settled: Sequence[tuple[str, ...]] = (),
    keep: Sequence[Sequence[int]] = (),
) -> Generator[RequestEvent, None, list[list[int] | None]]:
    """The ids of `rows` answers without their end; None for one that does not come to an end.

    settled: for each row the pieces that its drafts begin with; keep: the ids of words that the
    answers have to hold.
    """
    length = job.loaded.model.config.canvas_length
    stop_ids = _stop_ids(job)
    before = list(settled) or [()] * rows

    def cell(row: int, place: int, pieces: tuple[str, ...]) -> Cell:
        return Cell(
            row=place,
            candidate=label + row,
            span=span,
            slot=slice(0, length),
            settled=pieces,
            stop_ids=stop_ids,
        )

    def canvas(
        ids: Sequence[int], cells: Sequence[Cell], words: Sequence[Sequence[int]] = ()
    ) -> Generator[RequestEvent, None, list[list[int]]]:
        rules = _open(job, len(cells))
        pinned = Pinned(pins=torch.full((len(cells), length), FREE), start=None)
        if words:
            pinned = yield from settle_words(
                job, ids, words, len(cells), rules, stop_ids, seed, cells
            )
        result = yield from job.denoise(
            ids,
            pinned.pins,
            replace(rules, start=pinned.start),
            job.request.sampling,
            seed=seed,
            cells=cells,
        )
        return [list(row) for row in result.argmax.tolist()]

    first = yield from canvas(prompt, [cell(row, row, before[row]) for row in range(rows)], keep)
    found: list[list[int] | None] = []
    for row, ids in enumerate(first):
        written, end = ids, _end(ids, stop_ids)
        for _ in range(MOST_CANVASES - 1):
            if end is not None or len(prompt) + len(written) + length > job.loaded.context:
                break
            pieces = (*before[row], *job.loaded.tokenizer.pieces(written))
            (more,) = yield from canvas([*prompt, *written], [cell(row, 0, pieces)])
            written = [*written, *more]
            end = _end(written, stop_ids)
        found.append(None if end is None else written[:end])
    return found


def passage_only(
    job: Job, text: str, span: Span, index: int, here: Surroundings, seed: int
) -> Generator[RequestEvent, None, Filled | None]:
    """What stands in a gap when the model is just asked for it; None where that is no good either.

    Takes from the answer what it repeats of the text around the gap.
    """
    prompt = _fitting_prompt(job, text, span)
    if prompt is None:
        return None
    yield from job.read(prompt)
    part = job.parts[index]
    (ids,) = yield from answers(
        job, prompt, rows=1, span=part.owner, seed=seed, label=LABEL, settled=[part.settled]
    )
    if ids is None:
        return None
    score = job.mean_score(prompt, ids)
    new = _aligned(job.loaded.tokenizer.decode(ids), here)
    checks = text_checks(span, index, new, here)
    filled = Filled(
        candidate=LABEL,
        texts=(new,),
        score=score - penalty(tuple(checks)),
        checks=tuple(checks),
        tokens=(len(ids),),
        is_fallback=True,
    )
    return filled if is_good(filled) else None


def _fitting_prompt(job: Job, text: str, span: Span) -> list[int] | None:
    """The request for a passage, with as much of the document as there is room for."""
    around = AROUND
    while around:
        words = passage_only_words(text, span, instruction=job.request.instruction, around=around)
        prompt = job.prompt(words)
        if len(prompt) + job.loaded.model.config.canvas_length <= job.loaded.context:
            return prompt
        around //= 2
    return None


def _aligned(answer: str, here: Surroundings) -> str:
    """The answer as it stands between the two sides, without what it repeats of them."""
    new = answer.strip()
    new = new[overlap_before(here.before, new) :]
    count = overlap_behind(new, here.after)
    new = new[: len(new) - count].strip()
    if not new:
        return ""
    left = " " if here.before[-1:].isalnum() and new[0].isalnum() else ""
    right = " " if here.after[:1].isalnum() and new[-1].isalnum() else ""
    return left + new + right


def _open(job: Job, rows: int) -> Constraints:
    """Nothing is barred but markup that could not end the answer."""
    config, tokenizer = job.loaded.model.config, job.loaded.tokenizer
    barred = torch.ones(1, config.vocab_size, dtype=torch.bool)
    barred[0, : tokenizer.vocab_size] = False
    barred[0, sorted(tokenizer.markup_ids - _stop_ids(job) - {tokenizer.special.pad})] = True
    return replace(
        base_constraints(job),
        barred=barred.to(job.loaded.model.device),
        rules=torch.zeros(rows, config.canvas_length, dtype=torch.int64).to(
            job.loaded.model.device
        ),
    )


def _stop_ids(job: Job) -> frozenset[int]:
    return frozenset(job.loaded.model.sampling.merged(job.request.sampling).stop_ids)


def _end(ids: Sequence[int], stop_ids: frozenset[int]) -> int | None:
    return next((place for place, token in enumerate(ids) if token in stop_ids), None)
