"""Light proofreading: only words that look wrong are opened, everything else stays pinned.

A word looks wrong where the model, looking at the whole text, would write another one. Each such
word is a gap of unknown length; what fills it is kept only if it is spelled much like the word and
the text reads better with it. Where more than a third looks wrong, the text is rewritten instead.
"""

from __future__ import annotations

from collections.abc import Generator

from engine.editing.infill import Filled
from engine.editing.job import Job
from engine.editing.prompts import PROOFREAD
from engine.editing.rewrite import rewrite
from engine.messages import RequestEvent


def proofread(job: Job) -> Generator[RequestEvent, None, list[Filled]]:
    """The corrected text. Raises EngineFault."""
    return (yield from rewrite(job, job.request.instruction or PROOFREAD))
