"""Light proofreading: only words that look wrong are opened, everything else stays pinned.

The model looks once at the whole text as it stands. A word that it would hardly have written there
becomes a gap, and may only be filled with a word that is spelled much like it. Where too much looks
wrong, the text is rewritten instead.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from engine.editing.doubt import Passage, is_protected, word_chances
from engine.editing.infill import Filled, Surroundings, read_texts
from engine.editing.job import Cell, Job
from engine.editing.layout import Layout, Rules, stack
from engine.editing.length import constraints_for
from engine.editing.prompts import PROOFREAD, proofread_words
from engine.editing.rewrite import rewrite, selection, split_parts
from engine.editing.spelling import near_ids
from engine.editing.window import build_window
from engine.messages import Check, CheckKind, RequestEvent, Span

DOUBTFUL = -6.0  # log-probability of a word, in nats, below which it looks wrong
TOO_MANY = 0.3  # share of the words


def proofread(job: Job) -> Generator[RequestEvent, None, list[Filled]]:
    """The corrected text; the same text where nothing looks wrong. Raises EngineFault."""
    span = selection(job)
    texts = split_parts(job, job.request.text[span.start : span.end])
    parts, at = [], span.start
    for text in texts:
        parts.append(Passage(text=text, start=at))
        at += len(text)
    wrong: list[list[Span]] = []
    for part in parts:
        prompt = job.prompt(proofread_words(job.switches.wording, part.text))
        yield from job.read(prompt)
        wrong.append((yield from _doubtful(job, prompt, part)))
    if sum(map(len, wrong)) > max(1, TOO_MANY * sum(len(part.words()) for part in parts)):
        return (yield from rewrite(job, job.request.instruction or PROOFREAD))
    done: list[str] = []
    for part, doubtful in zip(parts, wrong, strict=True):
        prompt = job.prompt(proofread_words(job.switches.wording, part.text))
        yield from job.read(prompt)
        done.append((yield from _fix(job, prompt, part, doubtful, done)))
    return [_filled(job, span, "".join(done))]


def _doubtful(
    job: Job, prompt: Sequence[int], part: Passage
) -> Generator[RequestEvent, None, list[Span]]:
    """The words of a part that the model would hardly have written, seeing all of it."""
    chances = yield from word_chances(job, prompt, part)
    return [word for word, chance in chances.items() if chance < DOUBTFUL]


def _fix(
    job: Job, prompt: Sequence[int], part: Passage, doubtful: Sequence[Span], done: Sequence[str]
) -> Generator[RequestEvent, None, str]:
    """The part with its doubtful words written anew, where the vocabulary has words like them."""
    tokenizer, config = job.loaded.tokenizer, job.loaded.model.config
    capacity = config.canvas_length - 1
    likely = [word for word in doubtful if not is_protected(job, part, word)]
    near: dict[Span, list[int]] = {}
    for word in likely:
        alone = build_window(tokenizer, part.text, [word], [0], reach=capacity, room=capacity - 1)
        ids = near_ids(tokenizer, part.text[word.start : word.end], alone.gaps[0].head)
        if ids and not alone.gaps[0].tail:
            near[word] = ids
    spans = list(near)
    if not spans:
        return part.text
    indices = range(len(spans))
    window = build_window(
        tokenizer, part.text, spans, indices, reach=capacity, room=capacity - len(spans)
    )
    rules = Rules.of(tokenizer, config, window)
    for gap, word in enumerate(spans):
        rules = rules.only(gap, near[word])
    layout = Layout(window=window, lengths=(1,) * len(spans))
    pins = stack(tokenizer, config, [layout])
    cell = Cell(row=0, candidate=0, span=0, slot=slice(0, layout.length), settled=tuple(done))
    result = yield from job.denoise(
        prompt,
        pins,
        constraints_for(job, rules, [layout], pins),
        job.sampling(job.gap_steps),
        seed=job.run.seed,
        cells=[cell],
    )
    blank = [Surroundings(before="", after="", original=" ")] * len(spans)
    texts, checks = read_texts(job, layout, result.argmax[0].tolist(), blank)
    if checks:
        return part.text
    fixed, at = "", 0
    for word, text in zip(spans, texts, strict=True):
        fixed += part.text[at : word.start] + text
        at = word.end
    return fixed + part.text[at:]


def _filled(job: Job, span: Span, text: str) -> Filled:
    original = job.request.text[span.start : span.end]
    same = (Check(kind=CheckKind.UNCHANGED, span=0),) if text == original else ()
    return Filled(
        candidate=0,
        texts=(text,),
        score=0.0,
        checks=same,
        tokens=(len(job.loaded.tokenizer.encode(text)),),
    )
