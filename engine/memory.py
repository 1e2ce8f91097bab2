"""The memory plan: what a model takes, from its configuration, its format and its context.

Arithmetic only, no torch here or below, so that the window can plan before the engine starts.
The vision tower stays on disk and is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine.config import ModelConfig, parse_config, read_json
from engine.messages import EngineFault, ErrorKind
from engine.model.fields import fields, stored_as
from engine.quant.layouts import Part, item_size, total_bytes
from engine.quant.scheme import SCHEMES, Scheme, find_scheme
from engine.sizes import STEPS_KEPT, cache_size, snapshot_size, snapshots_kept
from engine.workspaces import (
    Work,
    captured_bytes,
    kept_bytes,
    merged_bytes,
    prefill_bytes,
    step_bytes,
)

MIB = 1 << 20
GIB = 1 << 30

# What a process takes on an NVIDIA GPU before its first tensor. An assumption, not measured here:
# drivers and generations differ, 200 to 500 MiB are usual with kernels loaded as they are used.
CUDA_CONTEXT = 300 * MIB
# What torch's allocator rounds up and leaves in gaps, and the buffers of cuBLAS. An assumption too:
# it cuts segments in steps of 2 MiB, and a model has about a hundred tensors larger than one.
CUDA_MARGIN = 224 * MIB
# The nodes of one captured step, some hundred kernels. An assumption, not measured here.
GRAPH_NODES = 32 * MIB
CPU_MARGIN = 64 * MIB  # what malloc keeps, and the buffers of the matrix products

_SHORTEST = 4  # canvases; a context for less is no way out


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """What a loaded model takes, in bytes by its parts."""

    weights: int
    kv_cache: int
    snapshots: int  # windows to come back to
    workspaces: int  # of a prefill, and of a step that is not captured
    graph: int  # of captured steps: the memory they work in, and what each keeps
    cuda_context: int
    allocator_margin: int
    host: int = 0  # in the PC's memory beside a GPU: there the snapshots lie. No part of the total

    @property
    def parts(self) -> dict[str, int]:
        """Of the device's memory."""
        return {name: size for name, size in asdict(self).items() if name != "host"}

    @property
    def total(self) -> int:
        return sum(self.parts.values())

    @property
    def momentary(self) -> int:
        """What a request takes beside what is there all the time."""
        return max(self.workspaces, self.graph)

    def fits(self, free_bytes: int) -> bool:
        """Whether the device has enough; without the PC's memory, only snapshots are not kept."""
        return self.total <= free_bytes


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A model as somebody wants it loaded."""

    config: ModelConfig
    scheme: Scheme
    context: int  # tokens
    device: str  # "cpu" or "cuda"
    cache_bits: int = 16


@dataclass(frozen=True, kw_only=True)
class WayOut:
    """What would make a model fit, in words, and the plan that then holds."""

    words: str
    plan: MemoryPlan


def plan(
    config: ModelConfig,
    scheme: Scheme,
    *,
    context: int,
    dtype: str,
    device: str,
    batch: int = 1,
    cache_bits: int = 16,
) -> MemoryPlan:
    """What a model takes.

    context: tokens the cache has room for. dtype: "bfloat16" or "float32", of activations, cache
    and whatever the scheme does not quantise. device: "cuda" or "cpu". batch: canvases at a time.
    cache_bits: of the cache, 8 or 16; 16 stands for the dtype.
    """
    work = Work(
        config=config, scheme=scheme, item_size=item_size(dtype), device=device, context=context,
        cache_bits=cache_bits,
    )  # fmt: skip
    is_cuda = device == "cuda"
    snapshots = snapshot_bytes(config, context, dtype, cache_bits)
    return MemoryPlan(
        weights=weight_bytes(config, scheme, dtype),
        kv_cache=cache_size(config, context, work.item_size, cache_bits),
        snapshots=0 if is_cuda else snapshots,
        workspaces=max(
            prefill_bytes(work), step_bytes(work, batch), merged_bytes(work) if is_cuda else 0
        ),
        graph=_graphs(work, batch) if is_cuda else 0,
        cuda_context=CUDA_CONTEXT if is_cuda else 0,
        allocator_margin=CUDA_MARGIN if is_cuda else CPU_MARGIN,
        host=snapshots if is_cuda else 0,
    )


def weight_bytes(config: ModelConfig, scheme: Scheme, dtype: str) -> int:
    """All tensors of the text network as a scheme stores them; dtype: of those not quantised."""
    stored = (stored_as(field, scheme, dtype) for blob in fields(config).values() for field in blob)
    return sum(each.nbytes if isinstance(each, Part) else total_bytes(each) for each in stored)


def snapshot_bytes(config: ModelConfig, context: int, dtype: str, cache_bits: int = 16) -> int:
    """The windows that are kept beside a cache of `context` tokens, at most."""
    size = snapshot_size(config, item_size(dtype), cache_bits)
    return snapshots_kept(config, context, size) * size


def _graphs(work: Work, batch: int) -> int:
    """Of all captured steps: they work in the same memory, and each keeps its own state."""
    kept = kept_bytes(work, max(batch, STEPS_KEPT)) + STEPS_KEPT * GRAPH_NODES
    return captured_bytes(work, batch) + kept


def plan_wish(wish: Wish) -> MemoryPlan:
    """The plan of a wish, in the dtype that its device is used with."""
    dtype = "float32" if wish.device == "cpu" else "bfloat16"
    return plan(
        wish.config, wish.scheme, context=wish.context, dtype=dtype, device=wish.device,
        cache_bits=wish.cache_bits,
    )  # fmt: skip


def read_wish(
    config_file: Path, *, weights: str, context: int, device: str = "cuda", cache_bits: int = 16
) -> Wish:
    """A wish for the model that a config.json describes.

    weights: a name of `engine.quant.scheme.SCHEMES`. A longer context than the model's is cut.
    Raises EngineFault.
    """
    config = parse_config(read_json(config_file))
    context = min(context, config.max_positions)
    return Wish(
        config=config, scheme=find_scheme(weights), context=context, device=device,
        cache_bits=cache_bits,
    )  # fmt: skip


def refuse_unfit(wish: Wish, *, free: int, total: int) -> None:
    """Raises EngineFault where a wish does not fit into `free` bytes, with ways out.

    total: bytes that the device has, others' included.
    """
    needed = plan_wish(wish)
    if needed.fits(free):
        return
    raise _too_large(
        f"This model needs {_at_least(needed.total)} GiB of memory; {_at_most(free)} GiB are free.",
        [way.words for way in ways_out(wish, free, total)],
    )


def ways_out(wish: Wish, free: int, total: int) -> list[WayOut]:
    """What makes a wish fit that does not: what costs nothing first, then context, then quality.

    Each really does: its plan fits into what is free, or for the first into what could be.
    """
    found: list[WayOut] = []
    needed = plan_wish(wish)
    if needed.fits(total):
        missing = _at_least(needed.total - free)
        found.append(
            WayOut(words=f"Close other programs until {missing} GiB more are free.", plan=needed)
        )
    found += _shorter(wish, free)
    found += _smaller(wish, needed, free)
    return found


def longest_context(wish: Wish, free: int) -> int:
    """The longest context in whole canvases with which a wish fits; 0 where none worth having does."""
    length = wish.config.canvas_length
    low, high = _SHORTEST - 1, wish.context // length
    while low < high:  # the plan grows with the context
        middle = (low + high + 1) // 2
        if plan_wish(replace(wish, context=middle * length)).fits(free):
            low = middle
        else:
            high = middle - 1
    return low * length if low >= _SHORTEST else 0


def _shorter(wish: Wish, free: int) -> Iterator[WayOut]:
    if context := longest_context(wish, free):
        yield WayOut(
            words=f"Load it with a context of {context:,} tokens.",
            plan=plan_wish(replace(wish, context=context)),
        )


def _smaller(wish: Wish, needed: MemoryPlan, free: int) -> Iterator[WayOut]:
    """Smaller kinds of weights, the largest first; with a shorter context where they must."""
    plans = {name: plan_wish(replace(wish, scheme=scheme)) for name, scheme in SCHEMES.items()}
    for name, found in sorted(plans.items(), key=lambda item: -item[1].weights):
        if found.weights >= needed.weights:
            continue
        if found.fits(free):
            yield WayOut(
                words=f"Load it with {name} weights: it then needs {_at_least(found.total)} GiB.",
                plan=found,
            )
        elif context := longest_context(replace(wish, scheme=SCHEMES[name]), free):
            yield WayOut(
                words=f"Load it with {name} weights and a context of {context:,} tokens.",
                plan=plan_wish(replace(wish, scheme=SCHEMES[name], context=context)),
            )


def _too_large(message: str, ways: list[str]) -> EngineFault:
    """With three ways out at most."""
    kind = ErrorKind.OUT_OF_MEMORY
    match ways:
        case [only]:
            return EngineFault(kind, message, only)
        case [first, second]:
            return EngineFault(kind, message, f"{first} Or: {second}")
        case [first, second, third, *_]:
            return EngineFault(kind, message, f"{first} Or: {second} Or: {third}")
        case _:
            return EngineFault(kind, message, "Choose a smaller model, or a PC with more memory.")


def _at_least(size: int) -> str:
    """Bytes in hundredths of a GiB, rounded up: what must be there."""
    return f"{-(-size * 100 // GIB) / 100:.2f}"


def _at_most(size: int) -> str:
    """Bytes in hundredths of a GiB, rounded down: what is there."""
    return f"{size * 100 // GIB / 100:.2f}"
