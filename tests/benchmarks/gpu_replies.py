"""What a user waits for: from Enter to the first draft, and whole replies of 60 and of 1,000 tokens.

A conversation is in the cache already; the question is new. Each canvas takes as many steps as a
published run needed in the mean (17), because random weights never settle by themselves. Once as the app
writes them, once with each canvas encoded in a pass of its own.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from engine.generate import steps
from engine.graph import Graphs
from engine.model.cache import KVCache
from tests.benchmarks.gpu_rig import Rig

TALK, QUESTION = 4096, 256  # tokens
REPLIES = (60, 1000)


def reply_section(rig: Rig) -> dict[str, Any]:
    talk, question = rig.size(TALK), max(4, rig.size(QUESTION))
    found: dict[str, Any] = {
        "conversation": talk,
        "question": question,
        "steps_a_canvas": rig.num_steps,
    }
    prompt = torch.cat((rig.prompt(talk), rig.prompt(question)))
    most = -(-max(REPLIES) // 256)
    cache = rig.model.new_cache(len(prompt) + (most + 1) * rig.model.config.canvas_length)

    def run(wanted: int, graphs: Graphs) -> tuple[float, float]:
        """Seconds to the first draft, and to the end."""
        _forget(rig, cache, talk)
        rig.wait()
        began, first = time.perf_counter(), 0.0
        canvases = -(-wanted // 256)
        for last in steps(  # noqa: B007
            rig.model, prompt, max_new_tokens=canvases * rig.model.config.canvas_length, seed=0,
            sampling=rig.sampling, cache=cache, graphs=graphs,
        ):  # fmt: skip
            first = first or time.perf_counter() - began
        assert bool(last.entropy.isfinite().all())
        return first, time.perf_counter() - began

    for way, graphs in (("", rig.graphs(2**-8)), (", two passes", rig.graphs(2**-8, merges=False))):
        run(REPLIES[-1], graphs)  # compiles
        for wanted in REPLIES:
            times = [run(wanted, graphs) for _ in range(1 if rig.is_tiny else 3)]
            first, whole = min(first for first, _ in times), min(whole for _, whole in times)
            found[f"{wanted} tokens{way}"] = {
                "first_draft_ms": round(1e3 * first, 1), "seconds": round(whole, 3),
                "tokens_s": round(wanted / whole),
            }  # fmt: skip
    return found


def _forget(rig: Rig, cache: KVCache, talk: int) -> None:
    """The cache holds the conversation and nothing of the question."""
    left = cache.keep_prefix(rig.prompt(talk).tolist())
    rig.model.prefill(rig.prompt(talk)[left:], cache)
