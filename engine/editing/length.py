"""How long a gap should be, before it is filled.

Two ways. A *landing* leaves everything behind the gap free for a step or two and asks where the
words that really stand there would come to lie; one pass scores all lengths at once, but the model
must know these words from its prompt. A *sweep* pins them at many distances, looks once at each and
asks how well the document reads; it needs nothing but the canvas. Scores are in nats, higher is
better, to be compared for one gap only.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.denoise import FREE, Constraints, StepResult
from engine.editing.job import Job, cell_of
from engine.editing.layout import Layout, Rules, fitting_width, stack
from engine.editing.ranking import Doubts, fit
from engine.editing.switches import Probing
from engine.editing.window import Window
from engine.messages import RequestEvent, Span

LANDING_TOKENS = 12  # of the text behind a gap
LANDING_ROWS = 2  # noises that a landing is averaged over
SWEEP_ROWS = 16  # lengths that are looked at together
EVERY = 8  # up to here a sweep looks at every length, then in steps of about a quarter
GUESS = 3  # tokens of a neighbouring gap whose length is not known yet
LONGEST = {Probing.SWEEP: 4, Probing.LANDING: 2}  # of the canvas, as a divisor

Scores = Mapping[int, float]  # tokens -> how well they fit


def limits(job: Job, span: Span) -> tuple[int, int]:
    """How many tokens a gap may have, at least and at most."""
    if span.length_hint is not None:
        return span.length_hint, span.length_hint
    return span.lengths or usual_limits(job)


def usual_limits(job: Job) -> tuple[int, int]:
    """How many tokens a gap may have of which nothing is known."""
    return 1, max(1, job.loaded.model.config.canvas_length // LONGEST[job.switches.probing])


def guesses(job: Job, window: Window) -> list[int]:
    """A length for each gap to begin with."""
    return [
        min(max(low, GUESS), high) for low, high in (limits(job, gap.span) for gap in window.gaps)
    ]


def probe(
    job: Job, prompt: Sequence[int], window: Window, rules: Rules, seed: int
) -> Generator[RequestEvent, None, list[Scores]]:
    """Scores of the lengths that each gap may have, one gap after the other."""
    lengths = guesses(job, window)
    canvas = job.loaded.model.config.canvas_length
    found: list[Scores] = []
    for place, gap in enumerate(window.gaps):
        low, high = limits(job, gap.span)
        others = window.pinned + sum(lengths) - lengths[place]
        high = max(low, min(high, canvas - 1 - others))
        wanted = [n for n in range(low, high + 1) if rules.can_hold(place, n)] or [high]
        if len(wanted) == 1:
            scores: Scores = {wanted[0]: 0.0}
        elif job.switches.probing is Probing.LANDING:
            scores = yield from _landing(job, prompt, window, rules, lengths, place, wanted, seed)
        else:
            scores = yield from _sweep(job, prompt, window, rules, lengths, place, wanted, seed)
        found.append(scores)
        lengths[place] = max(scores, key=lambda n: scores[n])
    return found


def combinations(scores: Sequence[Scores], count: int) -> list[tuple[int, ...]]:
    """Up to `count` sets of lengths, the best first; each of the others differs in one gap."""
    best = tuple(max(each, key=lambda n: each[n]) for each in scores)
    others = [
        (each[best[place]] - score, place, length)
        for place, each in enumerate(scores)
        for length, score in each.items()
        if length != best[place]
    ]
    changed = [
        (*best[:place], length, *best[place + 1 :])
        for _, place, length in sorted(others)[: count - 1]
    ]
    return [best, *changed]


def spread(low: Sequence[int]) -> list[int]:
    """Some of the lengths: all short ones, then in growing steps, always the last."""
    chosen: list[int] = []
    for length in low:
        if length - low[0] < EVERY or length >= chosen[-1] * 5 / 4:
            chosen.append(length)
    return chosen if chosen[-1] == low[-1] else [*chosen, low[-1]]


def _sweep(
    job: Job,
    prompt: Sequence[int],
    window: Window,
    rules: Rules,
    lengths: Sequence[int],
    place: int,
    wanted: Sequence[int],
    seed: int,
) -> Generator[RequestEvent, None, Scores]:
    scores: dict[int, float] = {}
    chosen = spread(wanted)
    for start in range(0, len(chosen), SWEEP_ROWS):
        part = chosen[start : start + SWEEP_ROWS]
        layouts = [
            Layout(window=window, lengths=(*lengths[:place], n, *lengths[place + 1 :]))
            for n in part
        ]
        pins = stack(job.loaded.tokenizer, job.loaded.model.config, layouts)
        constraints = constraints_for(job, rules, layouts, pins)
        middle = len(part) // 2  # the first thing to see, before any candidate is denoised
        shown = [cell_of(job.parts, layouts[middle], place, middle, 0)] if not scores else []
        result = yield from job.denoise(
            prompt, pins, constraints, job.sampling(1), seed=seed, cells=shown
        )
        for row, layout in enumerate(layouts):
            doubts = {place: result.entropy[row, layout.slots[place]]}
            scores[part[row]] = fit(job, layout, result.argmax[row], doubts)
    return scores


def _landing(
    job: Job,
    prompt: Sequence[int],
    window: Window,
    rules: Rules,
    lengths: Sequence[int],
    place: int,
    wanted: Sequence[int],
    seed: int,
) -> Generator[RequestEvent, None, Scores]:
    tokenizer, config = job.loaded.tokenizer, job.loaded.model.config
    behind = list(window.fixed[place + 1][:LANDING_TOKENS])
    if place + 1 == len(window.gaps) and len(behind) < LANDING_TOKENS:
        behind.append(tokenizer.special.turn_end)
    layout = Layout(window=window, lengths=(*lengths[:place], 0, *lengths[place + 1 :]))
    start = layout.slots[place].start
    width = fitting_width(config, start + wanted[-1] + len(window.fixed[place + 1]) + 1)
    known = layout.pins(tokenizer, max(width, layout.length + 1))[:start]
    pins = torch.tensor([[*known, *[FREE] * (width - start)]]).expand(LANDING_ROWS, -1)
    device = job.loaded.model.device
    watch = torch.tensor([*behind, tokenizer.special.pad], device=device).expand(width, -1)
    constraints = replace(base_constraints(job), watch=watch)
    guess = Layout(window=window, lengths=tuple(lengths))
    result = yield from job.denoise(
        prompt,
        pins,
        constraints,
        job.sampling(job.switches.probe_steps),
        seed=seed,
        cells=[cell_of(job.parts, guess, place, 0, 0)],
    )
    assert result.watched is not None
    chances = result.watched.logsumexp(dim=0)[start:] - torch.tensor(LANDING_ROWS).log()
    fits = [n for n in wanted if n + len(behind) <= chances.shape[0]] or [wanted[0]]
    scores = {n: landing_score(chances[:, :-1], n) for n in fits}
    if place + 1 == len(window.gaps):
        expected = round(text_length(chances[:, -1])) - len(window.fixed[place + 1]) - 1
        if expected in scores:  # the two ways agree on little else than the truth
            scores[expected] += 1.0
    return scores


def landing_score(chances: Tensor, length: int) -> float:
    """Mean log-probability of the words behind a gap of `length` at the places they would have.

    chances: float32 [R, m], at each position from the gap on that of each of the m words.
    """
    count = min(chances.shape[1], chances.shape[0] - length)
    if count < 1:
        return -torch.inf
    return float(chances[length : length + count].diagonal()[:count].mean())


def text_length(pad_chances: Tensor) -> float:
    """Expected tokens in front of the padding: Σ (1 - chance of a pad), for log-chances [R]."""
    return float((1 - pad_chances.exp()).sum())


def base_constraints(job: Job) -> Constraints:
    return Constraints(
        signal=job.switches.signal, pins_in_first_pass=job.switches.pins_in_first_pass
    )


def constraints_for(job: Job, rules: Rules, layouts: Sequence[Layout], pins: Tensor) -> Constraints:
    """What holds for a batch of canvases with gaps."""
    device = job.loaded.model.device
    return replace(
        base_constraints(job),
        barred=rules.barred.to(device),
        rules=rules.places(layouts, pins.shape[-1]).to(device),
    )


def first_doubts(layouts: Sequence[Layout], result: StepResult) -> list[Doubts]:
    """The decoder's doubt in all gaps of each canvas, from a first step."""
    return [
        {place: result.entropy[row, slot] for place, slot in enumerate(layout.slots)}
        for row, layout in enumerate(layouts)
    ]
