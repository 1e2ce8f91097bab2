"""Gaps of one window: probe their lengths, pin the text around them, polish the seams, prove all.

Every candidate is one canvas of a batch. What fails its checks is never shown; where too few are
left, a second round tries the next lengths and begins with other words.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from engine.denoise import StepResult
from engine.editing.forms import has_form
from engine.editing.job import Job, cells
from engine.editing.layout import Layout, Rules, stack
from engine.editing.length import combinations, constraints_for, first_doubts, limits, probe
from engine.editing.polish import Resized, longer, polish, shorter
from engine.editing.ranking import UNFINISHED, Doubts, fit, is_open, penalty
from engine.editing.seams import seam_checks
from engine.editing.sentences import stops_short
from engine.editing.window import Window
from engine.messages import Check, CheckKind, RequestEvent, Span

GROWN = 250  # a candidate that got more room has its number so much higher
CANDIDATES = 4  # at least so many are made, whatever number was asked for
OPEN_CANDIDATES = 3  # the same where gaps are long, and anything that fits is right
FATAL = frozenset(CheckKind) - {CheckKind.LOST, CheckKind.BRACKETS, CheckKind.UNCHANGED}


@dataclass(frozen=True, kw_only=True)
class Filled:
    """One way to fill the gaps of a window."""

    candidate: int
    texts: tuple[str, ...]  # one a gap
    score: float
    checks: tuple[Check, ...]
    tokens: tuple[int, ...]
    first_id: int = -1  # the first gap begins with it
    is_fallback: bool = False


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The document's own text beside one gap, a few hundred characters on each side."""

    before: str
    after: str
    original: str


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the candidates of one round have in common."""

    prompt: Sequence[int]
    window: Window
    rules: Rules
    around: Sequence[Surroundings]
    seed: int
    label: int  # the number of the first candidate


def fill_window(
    job: Job,
    prompt: Sequence[int],
    window: Window,
    around: Sequence[Surroundings],
    seed: int,
) -> Generator[RequestEvent, None, list[Filled]]:
    """The candidates that passed their checks, the best first; none if none did."""
    wanted = job.request.alternatives
    rules = Rules.of(job.loaded.tokenizer, job.loaded.model.config, window)
    scores = yield from probe(job, prompt, window, rules, seed)
    are_open = all(is_open(gap.span) for gap in window.gaps)
    count = max(OPEN_CANDIDATES if are_open else CANDIDATES, wanted)
    lengths = combinations(scores, 2 * count)
    # Half of the candidates have the best length: another noise is worth as much as another length.
    others = lengths[: -(-count // 2)]
    first = others + lengths[:1] * (count - len(others))
    batch = Batch(prompt=prompt, window=window, rules=rules, around=around, seed=seed, label=0)
    found = yield from _round(job, batch, first)
    good = distinct([each for each in found if is_good(each)])
    if len(good) < wanted:
        others = (lengths[len(others) :] + lengths * count)[:count]
        rest = rules.without(0, [each.first_id for each in found])
        if all(rest.can_hold(0, each[0]) for each in others):
            second = replace(batch, rules=rest, seed=seed + count, label=count)
            more = yield from _round(job, second, others)
            good = distinct([*good, *(each for each in more if is_good(each))])
    return sorted(good, key=lambda each: -each.score)


def is_good(filled: Filled) -> bool:
    """Whether nothing was found that rules the candidate out."""
    return not any(check.kind in FATAL and not check.repaired for check in filled.checks)


def distinct(candidates: Sequence[Filled]) -> list[Filled]:
    """The best of each group of equal texts."""
    best: dict[tuple[str, ...], Filled] = {}
    for each in candidates:
        if each.texts not in best or each.score > best[each.texts].score:
            best[each.texts] = each
    return list(best.values())


def _round(
    job: Job, batch: Batch, lengths: Sequence[tuple[int, ...]]
) -> Generator[RequestEvent, None, list[Filled]]:
    """One batch of candidates, repaired where they repeat what is there, grown where they break
    off."""
    layouts = [Layout(window=batch.window, lengths=each) for each in lengths]
    pins = stack(job.loaded.tokenizer, job.loaded.model.config, layouts)
    doubts: list[Doubts] = []

    def at_first(result: StepResult) -> None:
        if result.step == 1:
            doubts.extend(first_doubts(layouts, result))

    result = yield from job.denoise(
        batch.prompt,
        pins,
        constraints_for(job, batch.rules, layouts, pins),
        job.sampling(job.gap_steps),
        seed=batch.seed,
        cells=cells(job.parts, layouts, range(batch.label, batch.label + len(layouts))),
        each=at_first,
    )
    candidates = [
        _read(job, layout, result.argmax[row], batch.around, batch.label + row, doubts[row])
        for row, layout in enumerate(layouts)
    ]
    cuts = {
        row: cut
        for row, layout in enumerate(layouts)
        if (cut := _cut(job, layout, result.argmax[row], candidates[row]))
    }
    for row, again in (yield from _resize(job, batch, layouts, result, cuts, doubts)).items():
        repaired = tuple(replace(check, repaired=True) for check in candidates[row].checks)
        candidates[row] = replace(again, checks=(*again.checks, *repaired))
    growing = _growing(job, batch, layouts, candidates, cuts)
    more = replace(batch, label=batch.label + GROWN)
    grown = yield from _resize(job, more, layouts, result, growing, doubts)
    return [*candidates, *grown.values()]


def _resize(
    job: Job,
    batch: Batch,
    layouts: Sequence[Layout],
    result: StepResult,
    changes: Mapping[int, Resized],
    doubts: Sequence[Doubts],
) -> Generator[RequestEvent, None, dict[int, Filled]]:
    """The canvases of some rows with gaps of another length, by row."""
    polished = yield from polish(
        job, batch.prompt, batch.rules, layouts, result, changes, batch.seed, batch.label
    )
    return {
        row: _read(job, layout, ids, batch.around, batch.label + row, doubts[row])
        for row, (layout, ids) in polished.items()
    }


def _cut(job: Job, layout: Layout, ids: Tensor, filled: Filled) -> Resized | None:
    """What remains of a candidate that repeats what is beside it."""
    return shorter(job.loaded.tokenizer, layout, ids.tolist(), filled.checks)


def _growing(
    job: Job,
    batch: Batch,
    layouts: Sequence[Layout],
    candidates: Sequence[Filled],
    cuts: Mapping[int, Resized],
) -> dict[int, Resized]:
    """The rows that get more room because they break off; none if enough of the others do not."""
    unfinished = [_unfinished(each, batch.window, batch.around) for each in candidates]
    sound = [each for each, places in zip(candidates, unfinished, strict=True) if not places]
    if sum(map(is_good, sound)) >= job.request.alternatives:
        return {}
    most = [limits(job, gap.span)[1] for gap in batch.window.gaps]
    changes = {
        row: longer(layout, unfinished[row], most)
        for row, layout in enumerate(layouts)
        if row not in cuts
    }
    return {row: change for row, change in changes.items() if change is not None}


def _unfinished(filled: Filled, window: Window, around: Sequence[Surroundings]) -> list[int]:
    """The gaps whose text runs against its end: in a word, in a number, or in a sentence."""
    cut = {
        check.span
        for check in filled.checks
        if check.kind in (CheckKind.CUT_WORD, CheckKind.CUT_NUMBER) and not check.repaired
    }
    return [
        place
        for place, (gap, text, here) in enumerate(
            zip(window.gaps, filled.texts, around, strict=True)
        )
        if gap.index in cut
        or (gap.span.schema is None and stops_short(text, here.before, here.after))
    ]


def _read(
    job: Job,
    layout: Layout,
    ids: Tensor,
    around: Sequence[Surroundings],
    candidate: int,
    doubts: Doubts,
) -> Filled:
    """A settled canvas as texts, with what the checks find in them."""
    texts, checks = read_texts(job, layout, ids.tolist(), around)
    short = UNFINISHED * sum(
        stops_short(text, here.before, here.after) for text, here in zip(texts, around, strict=True)
    )
    return Filled(
        candidate=candidate,
        texts=texts,
        score=fit(job, layout, ids, doubts) - penalty(checks) - short,
        checks=checks,
        tokens=layout.lengths,
        first_id=int(ids[layout.slots[0].start]),
    )


def text_checks(span: Span, index: int, text: str | None, here: Surroundings) -> list[Check]:
    """What is wrong with the text of one gap; None is one that could not be read from its ids."""
    if text is None or "\ufffd" in text:
        return [Check(kind=CheckKind.BROKEN, span=index, text=text or "")]
    if not text.strip():
        return [Check(kind=CheckKind.EMPTY, span=index)]
    if span.schema is not None and not has_form(span.schema, text):
        return [Check(kind=CheckKind.BROKEN, span=index, text=text)]
    return seam_checks(here.before, text, here.after, index, here.original)


def read_texts(
    job: Job, layout: Layout, ids: Sequence[int], around: Sequence[Surroundings]
) -> tuple[tuple[str, ...], tuple[Check, ...]]:
    """The text of each gap, and what is wrong with it."""
    decode = job.loaded.tokenizer.decode
    texts: list[str] = []
    checks: list[Check] = []
    at = 0
    for gap, slot, here in zip(layout.window.gaps, layout.slots, around, strict=True):
        opened = decode(ids[slot])
        joined = decode(ids[at : slot.stop])
        is_whole = joined == decode(ids[at : slot.start]) + opened
        text = gap.text(opened) if is_whole else None
        checks += text_checks(gap.span, gap.index, text, here)
        texts.append(text or "")
        at = slot.stop
    return tuple(texts), tuple(checks)
