"""All gaps of a document: window after window, each with what the windows before it have become."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from engine.editing.choices import choose
from engine.editing.forms import FEWEST
from engine.editing.infill import Filled, Surroundings, fill_window
from engine.editing.instruct import passage_only
from engine.editing.job import Job
from engine.editing.length import GUESS, limits, usual_limits
from engine.editing.long_gap import fill_long_gap, is_long
from engine.editing.prompts import infill_words
from engine.editing.prove import fill, in_order
from engine.editing.ranking import is_open
from engine.editing.seams import NEAR
from engine.editing.sentences import sentence_lengths
from engine.editing.window import build_window, groups, refused
from engine.messages import EngineFault, ErrorKind, RequestEvent, Schema, Span

AROUND = 6000  # characters of the document that a prompt shows on each side of its gaps
WINDOW_SEEDS = 1009  # apart, so that no two windows see the same noise


def fill_gaps(job: Job, text: str) -> Generator[RequestEvent, None, list[Filled]]:
    """Up to as many ways to fill all spans of the request as it asks for, the best first.

    None at all where even one window has no candidate that passed. Raises EngineFault for spans
    that cannot be filled.
    """
    spans = _with_lengths(job, text)
    capacity = job.loaded.model.config.canvas_length - 1
    found: list[tuple[list[int], list[Filled]]] = []
    for number, indices in enumerate(_groups(job, text, spans, capacity)):
        candidates = yield from _fill_group(job, text, spans, indices, WINDOW_SEEDS * number)
        if not candidates:
            return []
        found.append((indices, candidates))
        text, spans = _settle(text, spans, indices, candidates[0].texts)
    count = max(len(candidates) for _, candidates in found)
    whole = [_join(found, place, len(spans)) for place in range(count)]
    return whole[: job.request.alternatives]


def _with_lengths(job: Job, text: str) -> list[Span]:
    """The spans of the request, with lengths where more than a word is missing."""
    most = usual_limits(job)[1]
    found = []
    for index, span in enumerate(job.request.spans):
        is_said = span.length_hint is not None or span.lengths is not None or span.choices
        if is_said:
            found.append(span)
        elif span.schema in FEWEST:
            found.append(replace(span, lengths=(min(FEWEST[span.schema], most), most)))
        elif span.schema not in (None, Schema.LINE):
            found.append(span)
        else:
            here = surroundings(text, job.request.spans, index)
            lengths = sentence_lengths(job.loaded.tokenizer, here.before, here.after, most)
            found.append(replace(span, lengths=lengths))
    return found


def surroundings(text: str, spans: Sequence[Span], index: int) -> Surroundings:
    """The fixed text beside a span, up to its neighbours."""
    span = spans[index]
    others = [each for place, each in enumerate(spans) if place != index]
    start = max((each.end for each in others if each.end <= span.start), default=0)
    end = min((each.start for each in others if each.start >= span.end), default=len(text))
    return Surroundings(
        before=text[max(start, span.start - NEAR) : span.start],
        after=text[span.end : min(end, span.end + NEAR)],
        original=text[span.start : span.end],
    )


def _groups(job: Job, text: str, spans: Sequence[Span], capacity: int) -> list[list[int]]:
    """Which spans are filled together. One with choices stands alone, parts of one never do."""
    room = []
    for span in spans:
        alone = span.choices or is_long(job, span)
        room.append(capacity if alone else span.length_hint or (span.lengths or (0, 4 * GUESS))[1])
    found: list[list[int]] = []
    for indices in groups(job.loaded.tokenizer, text, spans, room, capacity):
        if found and job.parts[found[-1][-1]].owner == job.parts[indices[0]].owner:
            if is_long(job, spans[found[-1][-1]]) or is_long(job, spans[indices[0]]):
                raise refused("A gap with protected words in it must fit on one canvas.")
            found[-1] += indices
        else:
            found.append(indices)
    return found


def _fill_group(
    job: Job, text: str, spans: Sequence[Span], indices: Sequence[int], seed: int
) -> Generator[RequestEvent, None, list[Filled]]:
    around = [surroundings(text, spans, index) for index in indices]
    seed += job.run.seed
    if not job.switches.pinned:
        return (yield from _one_by_one(job, text, spans, indices, seed))
    prompt = gap_prompt(job, text, spans, indices)
    yield from job.read(prompt)
    first = spans[indices[0]]
    if is_long(job, first):
        return (yield from fill_long_gap(job, prompt, text, first, indices[0], around[0], seed))
    capacity = job.loaded.model.config.canvas_length - 1
    gaps = [spans[index] for index in indices]
    if first.choices:
        room = capacity // 2
    else:
        room = capacity - sum(_least(job, span, len(gaps)) for span in gaps)
    window = build_window(
        job.loaded.tokenizer, text, spans, indices, reach=job.switches.reach, room=room
    )
    if first.choices:
        return choose(job, window, around[0])
    candidates = yield from fill_window(job, prompt, window, around, seed)
    if candidates:
        return candidates
    return (yield from _one_by_one(job, text, spans, indices, seed))


def _least(job: Job, span: Span, count: int) -> int:
    """Tokens that are kept free for one of `count` gaps: together a quarter of the canvas, or half
    of it where so much was asked for."""
    low, high = limits(job, span)
    share = 2 if is_open(span) else 4
    return max(low, min(high, job.loaded.model.config.canvas_length // (share * count)))


def _one_by_one(
    job: Job, text: str, spans: Sequence[Span], indices: Sequence[int], seed: int
) -> Generator[RequestEvent, None, list[Filled]]:
    """The fallback: every gap of the window from a request of its own."""
    shifted = list(spans)
    made: list[Filled] = []
    for index in indices:
        here = surroundings(text, shifted, index)
        one = yield from passage_only(job, text, shifted[index], index, here, seed)
        if one is None:
            return []
        made.append(one)
        text, shifted = _settle(text, shifted, [index], one.texts)
    return [
        replace(
            made[0],
            texts=tuple(each.texts[0] for each in made),
            tokens=tuple(each.tokens[0] for each in made),
            checks=tuple(check for each in made for check in each.checks),
            score=sum(each.score for each in made),
        )
    ]


def gap_prompt(job: Job, text: str, spans: Sequence[Span], indices: Sequence[int]) -> list[int]:
    """The request for a window, with as much of the document as there is room for."""
    fits = job.loaded.context - job.loaded.model.config.canvas_length
    around = AROUND
    while True:
        words = infill_words(
            job.switches.wording,
            text,
            spans,
            indices,
            instruction=job.request.instruction,
            around=around,
        )
        prompt = job.prompt(words)
        if len(prompt) <= fits:
            return prompt
        if around < NEAR:
            raise EngineFault(
                ErrorKind.PROMPT_TOO_LONG,
                f"This request takes {len(prompt):,} tokens; {fits:,} fit.",
                "Shorten the instruction, or fill fewer gaps at once.",
            )
        around //= 2


def _settle(
    text: str, spans: Sequence[Span], indices: Sequence[int], texts: Sequence[str]
) -> tuple[str, list[Span]]:
    """The document with some spans filled, and where all spans are in it then."""
    filled = fill(text, [spans[index] for index in indices], texts)
    new = dict(zip(indices, texts, strict=True))
    shifted: list[Span] = list(spans)
    moved = 0
    for index in in_order(spans):
        span = spans[index]
        size = len(new[index]) if index in new else span.end - span.start
        shifted[index] = replace(span, start=span.start + moved, end=span.start + moved + size)
        moved += size - (span.end - span.start)
    return filled, shifted


def _join(found: Sequence[tuple[list[int], list[Filled]]], place: int, count: int) -> Filled:
    """The candidates at one place of each window's ranking as one."""
    chosen = [candidates[min(place, len(candidates) - 1)] for _, candidates in found]
    texts, tokens = [""] * count, [0] * count
    for (indices, _), each in zip(found, chosen, strict=True):
        for index, text, size in zip(indices, each.texts, each.tokens, strict=True):
            texts[index], tokens[index] = text, size
    return replace(
        chosen[0],
        texts=tuple(texts),
        tokens=tuple(tokens),
        score=sum(each.score for each in chosen),
        checks=tuple(check for each in chosen for check in each.checks),
        is_fallback=any(each.is_fallback for each in chosen),
    )
