"""How good the demo model is on held-out items, through our own engine.

    python -m tests.benchmarks.demo_model [--gaps 501] [--chats 200] [--rewrites 120]
    python -m tests.benchmarks.demo_model --weights int4 --name demo_model_int4
    python -m tests.benchmarks.demo_model --weights int4 --fused --name demo_model_int4_fused

`--fused` takes the way of a GPU: fused layers with activations of eight bits, the fused step with its
own noise and the sparse self-conditioning, by plain operations instead of kernels. Items come from `packaging/demo_model/heldout.py` with a seed that training never uses. Writes
`tests/benchmarks/results/NAME.json`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import torch

from engine.generate import generate, steps
from engine.load import load_model, model_folder
from engine.model.network import Model
from tests.benchmarks.record import record
from tests.engine.kernels.network import fused
from tests.engine.kernels.plain_vocabulary import plain_vocabulary

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging" / "demo_model"))

import heldout
import rewriting
import vocabulary
from examples import GAP_PROMPT, Encoder, prompt_text
from wording import Document

SEED = 20_260_921
FREE = -1
BATCH = 32
GAP_STEPS = 16  # denoising steps at most for a gap
# Words that no formal text has.
CASUAL = frozenset(
    [
        "hey",
        "hi",
        "wanna",
        "gonna",
        "gimme",
        "asap",
        "gotta",
        "ok",
        "yeah",
        "thanks",
        "bye",
        "sorry",
    ]
)


def percent(values: Iterable[bool]) -> float:
    listed = list(values)
    return round(100 * sum(listed) / len(listed), 1) if listed else 0.0


def gap_pins(
    encoder: Encoder, document: Document, gap: tuple[int, int], length: int, suffix: bool
) -> tuple[list[int], slice, list[int]]:
    """The canvas of ids and FREE, the gap's positions, and the right ids there.

    Without the suffix everything from the gap on is free.
    """
    encoding = encoder.tokenizer.encode(document.text, add_special_tokens=False)
    inside = [i for i, (a, b) in enumerate(encoding.offsets) if a < gap[1] and b > gap[0]]
    place = slice(inside[0], inside[-1] + 1)
    ids = [*encoding.ids, vocabulary.TURN_END]
    ids += [vocabulary.PAD] * (length - len(ids))
    right = ids[place]
    pins = list(ids)
    stop = place.stop if suffix else length
    pins[place.start : stop] = [FREE] * (stop - place.start)
    return pins, place, right


def gaps(model: Model, encoder: Encoder, items: list[Any], suffix: bool) -> dict[str, Any]:
    """Share of gaps filled with exactly the right words, by kind, and steps a canvas."""
    prompt = torch.tensor(encoder.ids(GAP_PROMPT))
    right: dict[str, list[bool]] = defaultdict(list)
    passes = []
    for start in range(0, len(items), BATCH):
        part = items[start : start + BATCH]
        # The canvas is as long as the longest document, its end of turn and a few pads.
        length = 4 + max(len(encoder.ids(document.text)) for document, _ in part)
        made = [gap_pins(encoder, document, gap, length, suffix) for document, gap in part]
        pins = torch.tensor([pins for pins, _, _ in made])
        *_, last = steps(
            model,
            prompt,
            max_new_tokens=length,
            seed=start,
            sampling={"max_denoising_steps": GAP_STEPS},
            pins=pins,
        )
        passes.append(last.step)
        for (document, _), (_, place, ids), row in zip(
            part, made, last.argmax.tolist(), strict=True
        ):
            right[document.kind].append(row[place] == ids)
    everything = [value for values in right.values() for value in values]
    return {
        "items": len(items),
        "steps_at_most": GAP_STEPS,
        "right": percent(everything),
        **{kind: percent(values) for kind, values in sorted(right.items())},
        "steps_of_slowest_in_batch": round(sum(passes) / len(passes), 1),
    }


def answer(model: Model, encoder: Encoder, prompt: str, seed: int) -> dict[str, Any]:
    begin = time.perf_counter()
    ids = torch.tensor(encoder.ids(prompt))
    made = generate(model, ids, max_new_tokens=3 * model.config.canvas_length, seed=seed)
    return {
        "text": encoder.tokenizer.decode(list(made.token_ids)),
        "ended": made.stopped,
        "tokens": len(made.token_ids) + 1,
        "steps": made.steps,
        "canvases": made.canvases,
        "seconds": time.perf_counter() - begin,
    }


def chats(model: Model, encoder: Encoder, talks: list[Any]) -> dict[str, Any]:
    """Ends of turns, and the words that a right answer holds (facts, names, what was said)."""
    made = [
        answer(model, encoder, prompt_text(talk.turns, False), seed)
        for seed, talk in enumerate(talks)
    ]
    held: dict[str, list[bool]] = defaultdict(list)
    for talk, result in zip(talks, made, strict=True):
        if talk.expected:
            text = result["text"].lower()
            held[talk.kind].append(all(word.lower() in text for word in talk.expected))
    return {
        "items": len(talks),
        "ended": percent(result["ended"] for result in made),
        "right": percent(value for values in held.values() for value in values),
        **{f"right, {kind}": percent(values) for kind, values in sorted(held.items())},
        **pace(made),
        "samples": samples([(talk.turns[-1][1], made[i]["text"]) for i, talk in enumerate(talks)]),
    }


def pace(made: list[dict[str, Any]]) -> dict[str, float]:
    tokens, passes = sum(r["tokens"] for r in made), sum(r["steps"] for r in made)
    return {
        "tokens_per_forward": round(tokens / passes, 2),
        "steps_per_canvas": round(passes / sum(r["canvases"] for r in made), 1),
        "seconds_per_answer": round(sum(r["seconds"] for r in made) / len(made), 2),
    }


def samples(pairs: list[tuple[str, str]], count: int = 16) -> list[str]:
    return [f"{asked!r} -> {told!r}" for asked, told in pairs[:count]]


def obeyed(change: rewriting.Rewrite, text: str) -> bool:
    """Whether the rule was obeyed. The same text back is a failure."""
    if text.strip() == change.before.strip():
        return False
    said, before, after = (heldout.words(t) for t in (text, change.before, change.after))
    if change.rule == "formal":
        kept = set(before) & set(after)
        return kept <= set(said) and not CASUAL & set(said) and "'" not in text
    if change.rule == "shorter":
        names = {word.lower() for word in change.after.split() if word[0].isupper()}
        subset = set(said) <= set(before) | set(after)
        return subset and names <= set(said) and len(said) <= 0.75 * len(before)
    return text.strip() == change.after.strip()


def rewrites(model: Model, encoder: Encoder, changes: list[Any]) -> dict[str, Any]:
    rng = Random(SEED + 3)
    results: dict[str, list[bool]] = defaultdict(list)
    exact, made, told = [], [], []
    for seed, change in enumerate(changes):
        asked = rewriting.request(rng, "held", change.rule, change.before)
        result = answer(model, encoder, prompt_text((("user", asked),), False), seed)
        results[change.rule].append(obeyed(change, result["text"]))
        exact.append(result["text"].strip() == change.after.strip())
        made.append(result)
        told.append((asked, result["text"]))
    return {
        "items": len(changes),
        "obeyed": percent(value for values in results.values() for value in values),
        **{rule: percent(values) for rule, values in sorted(results.items())},
        "exactly_as_expected": percent(exact),
        "ended": percent(result["ended"] for result in made),
        **pace(made),
        "samples": samples(told),
    }


def full_canvas(model: Model) -> dict[str, float]:
    """One canvas through all 48 steps, on the threads torch uses."""
    prompt = torch.arange(40) % 64 + 400
    sampling = {"confidence_threshold": 1e-12, "stop_ids": ()}
    begin = time.perf_counter()
    count = sum(
        1
        for _ in steps(
            model, prompt, max_new_tokens=model.config.canvas_length, seed=1, sampling=sampling
        )
    )
    seconds = time.perf_counter() - begin
    return {"steps": count, "seconds": round(seconds, 2), "threads": torch.get_num_threads()}


def loaded(options: argparse.Namespace) -> Model:
    model = load_model(options.model, weights=options.weights)
    return fused(model, ("vocabulary",)) if options.fused else model


def measure(part: str, options: argparse.Namespace) -> dict[str, Any]:
    """One half of the measurement, in a process of its own on one thread."""
    torch.set_num_threads(1)
    with plain_vocabulary():
        return measured(part, loaded(options), options)


def measured(part: str, model: Model, options: argparse.Namespace) -> dict[str, Any]:
    encoder = Encoder(vocabulary.load(model_folder(options.model)))
    seen = heldout.training_runs(SEED + 1, 20_000)
    if part == "text":
        talks = list(islice(heldout.conversations(Random(SEED + 2)), options.chats))
        changes = list(islice(heldout.rewrites(Random(SEED + 4), seen), options.rewrites))
        return {
            "chat": chats(model, encoder, talks),
            "rewriting": rewrites(model, encoder, changes),
        }
    items = list(islice(heldout.gap_items(Random(SEED), seen), options.gaps))
    items.sort(key=lambda item: len(item[0].text))  # of one length together
    with_suffix = gaps(model, encoder, items, suffix=True)
    without = gaps(model, encoder, items, suffix=False)
    return {
        "gaps": with_suffix,
        "gaps_without_suffix": without,
        "points_by_suffix": round(with_suffix["right"] - without["right"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--weights", default="source", help="how they are stored in memory")
    parser.add_argument("--fused", action="store_true", help="the way of a GPU")
    parser.add_argument("--gaps", type=int, default=501)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--rewrites", type=int, default=120)
    parser.add_argument("--name", default="demo_model")
    options = parser.parse_args()
    with plain_vocabulary():
        figures: dict[str, Any] = {"full_canvas": full_canvas(loaded(options))}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for result in pool.map(measure, ("gaps", "text"), (options, options)):
            figures |= result
    record(options.name, figures)


if __name__ == "__main__":
    main()
