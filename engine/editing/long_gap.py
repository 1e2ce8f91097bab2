"""A gap longer than a canvas: canvas after canvas, the last of them landing on the text behind.

All but the last are free on their right and are encoded into the prefix, as an answer is; so the
prompt is the only place where they could learn of the text behind the gap.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import torch

from engine.editing.borders import Border, left_border, right_border
from engine.editing.infill import Filled, Surroundings, is_good, text_checks
from engine.editing.job import Cell, Job
from engine.editing.layout import Layout, Rules, fitting_width
from engine.editing.length import base_constraints
from engine.editing.ranking import penalty
from engine.editing.window import PER_TOKEN, Gap, Window, refused
from engine.messages import RequestEvent, Span
from engine.text.tokenizer import clean

LEAST_CONTEXT = 16  # tokens of fixed text beside a gap that is filled on one canvas
MOST_CANVASES = 16
REACH = 48  # tokens of fixed text on each side


def is_long(job: Job, span: Span) -> bool:
    """Whether a gap of this length and a little text around it take more than a canvas."""
    least = span.length_hint or (span.lengths[0] if span.lengths else 0)
    return least > job.loaded.model.config.canvas_length - 1 - LEAST_CONTEXT


def fill_long_gap(
    job: Job,
    prompt: Sequence[int],
    text: str,
    span: Span,
    index: int,
    here: Surroundings,
    seed: int,
) -> Generator[RequestEvent, None, list[Filled]]:
    """The candidates that passed their checks, the best first."""
    size = span.length_hint or (span.lengths[0] if span.lengths else 0)
    length = job.loaded.model.config.canvas_length
    if size > MOST_CANVASES * length:
        raise refused(f"A gap may have {MOST_CANVASES * length:,} tokens at most.")
    left, right = _borders(job, text, span)
    prefix = [*prompt, *left.ids]
    if len(prefix) + size + length > job.loaded.context:
        raise refused("This gap takes more than the context of the model.")
    found = []
    for candidate in range(job.request.alternatives):
        each = yield from _write(job, prefix, left, right, span, index, here, size, seed, candidate)
        if is_good(each):
            found.append(each)
    return sorted(found, key=lambda filled: -filled.score)


def _borders(job: Job, text: str, span: Span) -> tuple[Border, Border]:
    """The fixed ids beside the gap; its end is not healed, it may be a canvas away."""
    far = REACH * PER_TOKEN
    before, after = text[max(0, span.start - far) : span.start], text[span.end : span.end + far]
    left = left_border(job.loaded.tokenizer, clean(before), text[span.start : span.start + 1])
    preceding = text[span.end - 1 : span.end] if span.end else ""
    right = right_border(job.loaded.tokenizer, preceding, clean(after))
    reach = min(REACH, job.loaded.model.config.canvas_length // 4)
    return replace(left, ids=left.ids[-reach:]), replace(right, ids=right.ids[:reach])


def _write(
    job: Job,
    prefix: Sequence[int],
    left: Border,
    right: Border,
    span: Span,
    index: int,
    here: Surroundings,
    size: int,
    seed: int,
    candidate: int,
) -> Generator[RequestEvent, None, Filled]:
    config, tokenizer = job.loaded.model.config, job.loaded.tokenizer
    length, part = config.canvas_length, job.parts[index]
    gap = Gap(index=index, span=span, head=left.swallowed, tail=right.swallowed, lent=right.lent)
    written: list[int] = []
    while len(written) < size:
        rest = size - len(written)
        is_last = rest + len(right.ids) + 1 <= length
        # A rest that fits alone, but not with the text behind it, is written in two parts.
        count = rest if is_last else length if rest > length else rest // 2
        opened = replace(gap, head="" if written else gap.head, tail=gap.tail if is_last else "")
        window = Window(gaps=(opened,), fixed=((), right.ids if is_last else ()))
        layout = Layout(window=window, lengths=(count,))
        width = fitting_width(config, layout.length) if is_last else count
        pins = torch.tensor([layout.pins(tokenizer, width)[:width]])
        rules = Rules.of(tokenizer, config, window)
        result = yield from job.denoise(
            [*prefix, *written],
            pins,
            replace(
                base_constraints(job),
                barred=rules.barred.to(job.loaded.model.device),
                rules=rules.places([layout], width).to(job.loaded.model.device),
            ),
            job.request.sampling,
            seed=seed + candidate,
            cells=[
                Cell(
                    row=0,
                    candidate=candidate,
                    span=part.owner,
                    slot=slice(0, count),
                    head=opened.head,
                    tail=opened.tail,
                    lent=gap.lent + part.trail if is_last else "",
                    settled=(*part.settled, *_settled(job, gap, written)),
                )
            ],
        )
        written += result.argmax[0, :count].tolist()
    return _judge(job, prefix, gap, right, written, here, candidate)


def _settled(job: Job, gap: Gap, written: Sequence[int]) -> tuple[str, ...]:
    """The pieces of the canvases before, without what belongs to the text in front of the gap."""
    pieces = list(job.loaded.tokenizer.pieces(written))
    if pieces:
        pieces[0] = pieces[0].removeprefix(gap.head)
    return tuple(pieces)


def _judge(
    job: Job,
    prefix: Sequence[int],
    gap: Gap,
    right: Border,
    written: Sequence[int],
    here: Surroundings,
    candidate: int,
) -> Filled:
    opened = job.loaded.tokenizer.decode(written)
    text = gap.text(opened)
    checks = text_checks(gap.span, gap.index, text, here)
    score = job.mean_score(prefix, [*written, *right.ids])
    return Filled(
        candidate=candidate,
        texts=(text or "",),
        score=score - penalty(tuple(checks)),
        checks=tuple(checks),
        tokens=(len(written),),
    )
