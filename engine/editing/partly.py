"""Rewriting in part: the words that the instruction makes least likely are opened, all others stay.

The selection stands on the canvas as the answer to the instruction, so that its length stays, too.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from engine.editing.doubt import Passage, is_protected, word_chances
from engine.editing.infill import Filled, Surroundings, read_texts
from engine.editing.job import Cell, Job
from engine.editing.layout import Layout, Rules, stack
from engine.editing.length import constraints_for
from engine.editing.prove import fill
from engine.editing.rewrite import Draught, Task, rewrite, task_prompt, trimmed
from engine.editing.window import Gap, build_window
from engine.messages import RequestEvent, Span

SHARE = 0.5  # of the words


def rewrite_partly(job: Job) -> Generator[RequestEvent, None, list[Filled]]:
    """Up to as many new texts as were asked for, the best first. Raises EngineFault."""
    return (yield from rewrite(job, job.request.instruction, _reopen))


def least_likely(text: str, chances: Mapping[Span, float], share: float) -> list[Span]:
    """The words with the lowest chances, one at least; neighbours are one range."""
    count = max(1, round(share * len(chances)))
    chosen = sorted(sorted(chances, key=lambda word: chances[word])[:count], key=_start)
    found: list[Span] = []
    for word in chosen:
        if found and text[found[-1].end : word.start].isspace():
            found[-1] = Span(start=found[-1].start, end=word.end)
        else:
            found.append(word)
    return found


def _start(word: Span) -> int:
    return word.start


def _reopen(
    job: Job, task: Task, draughts: list[Draught]
) -> Generator[RequestEvent, None, list[Draught]]:
    """Every draught with one more part, in which some words are written anew."""
    lead, core, trail = trimmed(task.text)
    prompt = task_prompt(job, task)
    yield from job.read(prompt)
    passage = Passage(text=core, start=task.start + len(lead))
    chances = yield from word_chances(job, prompt, passage)
    free = {
        word: chance for word, chance in chances.items() if not is_protected(job, passage, word)
    }
    spans = least_likely(core, free, SHARE) if free else []
    canvas = _layout(job, core, spans) if spans else None
    if canvas is None:
        return [draught.longer(task.text, 0, 0.0) for draught in draughts]
    layout, rules = canvas
    pins = stack(job.loaded.tokenizer, job.loaded.model.config, [layout] * len(draughts))
    result = yield from job.denoise(
        prompt,
        pins,
        constraints_for(job, rules, [layout] * len(draughts), pins),
        job.sampling(job.gap_steps),
        seed=job.run.seed + task.seed,
        cells=[
            Cell(row=row, candidate=row, span=0, slot=slice(0, layout.length), settled=each.pieces)
            for row, each in enumerate(draughts)
        ],
    )
    blank = [Surroundings(before="", after="", original=" ")] * len(spans)
    made = []
    for row, draught in enumerate(draughts):
        ids = result.argmax[row].tolist()
        texts, checks = read_texts(job, layout, ids, blank)
        new = core if checks else fill(core, spans, texts)
        score = job.mean_score(prompt, ids[: layout.length])
        made.append(draught.longer(lead + new + trail, layout.length, score))
    return made


def _layout(job: Job, text: str, spans: Sequence[Span]) -> tuple[Layout, Rules] | None:
    """All of a text with gaps of the length that stands there; None where nothing can be opened."""
    tokenizer, config = job.loaded.tokenizer, job.loaded.model.config
    capacity = config.canvas_length - 1
    window = build_window(
        tokenizer, text, spans, range(len(spans)), reach=capacity, room=capacity - len(spans)
    )
    lengths = tuple(_tokens(job, text, gap) for gap in window.gaps)
    rules = Rules.of(tokenizer, config, window)
    layout = Layout(window=window, lengths=lengths)
    fits = layout.length <= capacity and all(
        rules.can_hold(gap, length) for gap, length in enumerate(lengths)
    )
    return (layout, rules) if fits else None


def _tokens(job: Job, text: str, gap: Gap) -> int:
    """How many tokens of the canvas a range takes as it stands."""
    own = text[gap.span.start : gap.span.end].removesuffix(gap.lent)
    return max(1, len(job.loaded.tokenizer.encode(gap.head + own + gap.tail)))
