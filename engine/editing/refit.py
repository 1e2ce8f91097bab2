"""A rewriting inside of a sentence, fitted to the text around it: laid between its fixed neighbours
and denoised for a few more steps from where it was.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import torch

from engine.denoise import FREE, Start
from engine.editing.gaps import gap_prompt, surroundings
from engine.editing.infill import read_texts
from engine.editing.job import Job, Part, cells
from engine.editing.layout import Layout, Rules, stack
from engine.editing.length import constraints_for
from engine.editing.ranking import document_score
from engine.editing.window import build_window
from engine.messages import RequestEvent

_ENDS = ".!?\u2026\u3002\uff01\uff1f:;"


def is_inside_sentence(text: str, start: int, end: int) -> bool:
    """Whether the sentence of a range goes on behind it, on the same line."""
    inside, behind = text[start:end].rstrip(), text[end : end + 80].lstrip(" ")
    return bool(inside) and bool(behind) and inside[-1] not in _ENDS and behind[0] not in "\r\n"


def refit(job: Job, new: str, candidate: int) -> Generator[RequestEvent, None, str | None]:
    """The text `new` fitted in place of the selection, where that makes the document likelier."""
    text, (span,) = job.request.text, job.request.spans
    tokenizer, config = job.loaded.tokenizer, job.loaded.model.config
    ids = tokenizer.encode(new)
    if 2 * len(ids) > config.canvas_length:
        return None
    prompt = gap_prompt(job, text, [span], [0])
    yield from job.read(prompt)
    room = config.canvas_length - 2 - len(ids)
    window = build_window(tokenizer, text, [span], [0], reach=job.switches.reach, room=room)
    (gap,) = window.gaps
    ids = tokenizer.encode(gap.head + new.removesuffix(gap.lent) + gap.tail)
    layout = Layout(window=window, lengths=(len(ids),))
    rules = Rules.of(tokenizer, config, window)
    if not rules.can_hold(0, len(ids)):
        return None
    pins = stack(tokenizer, config, [layout])
    canvas = pins.to(job.loaded.model.device)
    canvas[canvas == FREE] = torch.tensor(ids, device=canvas.device)
    start = Start(ids=canvas, soft=job.loaded.model.look_up(canvas))
    result = yield from job.denoise(
        prompt,
        pins,
        replace(constraints_for(job, rules, [layout], pins), start=start),
        job.sampling(job.switches.polish_steps, t_max=job.loaded.model.sampling.t_min),
        seed=job.run.seed,
        cells=cells([Part(span=span, owner=0)], [layout], [candidate]),
    )
    settled = result.argmax[0]
    here = surroundings(text, [span], 0)
    (fitted,), checks = read_texts(job, layout, settled.tolist(), [here])
    gain = document_score(job, layout, settled.to(canvas.device)) - document_score(
        job, layout, canvas[0]
    )
    return fitted if not checks and gain > 0 else None
