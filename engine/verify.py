"""This engine against transformers on the same checkpoint, for the day a user has weights.

A checkpoint that fits into memory twice is compared whole: logits of several denoising steps, and
generations token by token. A larger one is compared layer by layer: both implementations carry
their own hidden states through the network while each layer's weights are read once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from engine.checkpoint.opening import open_checkpoint
from engine.checkpoint.prepared import Prepared, is_prepared, open_prepared, verify_files
from engine.checkpoint.source import SourceTensor
from engine.config import ModelConfig, load_config, load_sampling, read_json
from engine.convert import fill
from engine.generate import generate
from engine.load import load_model, model_folder
from engine.messages import EngineFault, ErrorKind
from engine.model.fields import text_shapes, vision_shapes
from engine.model.network import Model
from engine.model.norm import rms_norm
from engine.model.weights import assemble

Report = Callable[[str, int, int], None]
Outcome = dict[str, Any]

_PROMPT_TOKENS = 96
_STEPS = 4
_SEEDS = 3
_GENERATION_STEPS = 12
_ROWS = 32  # rows of logits compared at once


def verify(
    path: str, report: Report, cancelled: Callable[[], bool], *, whole: bool | None = None
) -> Outcome:
    """The largest difference of the logits, and whether generations are equal; for a prepared model
    whether its files are what was written.

    `whole` decides how to compare; None lets the size of the checkpoint decide. Raises EngineFault.
    """
    folder = model_folder(path)
    config = load_config(folder)
    if is_prepared(folder):
        return _check_files(open_prepared(folder, config), report, cancelled)
    sources = open_checkpoint(folder, text_shapes(config), vision_shapes(config))
    is_plain = all(source.grouping is None for source in sources.values())
    size = sum(source.size for source in sources.values())
    if whole is None:
        # Twice in float32, which is twice a checkpoint in 16 bits, and room to work. Quantised ones
        # are compared as the numbers they stand for, which transformers need not be able to read.
        whole = is_plain and 5 * size < psutil.virtual_memory().available
    generator = torch.Generator().manual_seed(0)
    prompt = torch.randint(config.vocab_size, (_PROMPT_TOKENS,), generator=generator)
    canvas = torch.randint(config.vocab_size, (1, config.canvas_length), generator=generator)
    if whole:
        return _compare_whole(folder, prompt, canvas, report, cancelled)
    return _compare_layers(folder, config, sources, canvas, report, cancelled)


def _check_files(prepared: Prepared, report: Report, cancelled: Callable[[], bool]) -> Outcome:
    """A prepared model has no twin to compare with; its files are held against their hashes."""
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        _check(cancelled)
        done += size
        report("bytes", done, prepared.size)

    verify_files(prepared, advance)
    return {
        "max_abs_logit_difference": None,
        "generations_equal": None,
        "files_unchanged": len(prepared.manifest.files),
        "method": "hashes of the files",
    }


@torch.no_grad()
def _compare_whole(
    folder: Path, prompt: Tensor, canvas: Tensor, report: Report, cancelled: Callable[[], bool]
) -> Outcome:
    from transformers import DiffusionGemmaForBlockDiffusion, DynamicCache

    total = _STEPS + _SEEDS
    reference = DiffusionGemmaForBlockDiffusion.from_pretrained(folder, dtype=torch.float32)
    reference.eval()
    model = load_model(folder)
    cache = model.new_cache(prompt.numel())
    model.prefill(prompt, cache)
    theirs = DynamicCache(config=reference.config.get_text_config(decoder=True))
    reference.model.encoder(input_ids=prompt[None], past_key_values=theirs)
    difference, previous = 0.0, None
    for step in range(_STEPS):
        _check(cancelled)
        report("denoising steps", step, total)
        expected = reference(
            decoder_input_ids=canvas, past_key_values=theirs, self_conditioning_logits=previous
        ).logits
        difference = max(difference, _distance(model.denoise(canvas, cache, previous), expected))
        canvas, previous = expected.argmax(dim=-1), expected / 0.7
    equal = 0
    for seed in range(_SEEDS):
        _check(cancelled)
        report("generations", _STEPS + seed, total)
        equal += _generations_equal(reference, model, prompt, seed)
    report("done", total, total)
    return {
        "max_abs_logit_difference": difference,
        "generations_equal": equal == _SEEDS,
        "generations_compared": _SEEDS,
        "method": "whole",
    }


def _generations_equal(reference: Any, model: Model, prompt: Tensor, seed: int) -> bool:
    count = 2 * model.config.canvas_length
    torch.manual_seed(seed)
    theirs = reference.generate(
        prompt[None], max_new_tokens=count, max_denoising_steps=_GENERATION_STEPS
    )
    new: list[int] = theirs.sequences[0, prompt.numel() :].tolist()
    end = next((at for at, token in enumerate(new) if token in model.sampling.stop_ids), None)
    ours = generate(
        model,
        prompt,
        max_new_tokens=count,
        seed=seed,
        noise="reference",
        sampling={"max_denoising_steps": _GENERATION_STEPS},
    )
    return list(ours.token_ids) == new[:end]


@torch.no_grad()
def _compare_layers(
    folder: Path,
    config: ModelConfig,
    sources: dict[str, SourceTensor],
    canvas: Tensor,
    report: Report,
    cancelled: Callable[[], bool],
) -> Outcome:
    """One decoder pass without a prompt, layer after layer, in float32."""
    from transformers import DiffusionGemmaConfig
    from transformers.models.diffusion_gemma import modeling_diffusion_gemma as modeling

    theirs: Any = DiffusionGemmaConfig(**read_json(folder / "config.json")).text_config
    theirs._attn_implementation = "sdpa"  # noqa: SLF001 - there is no public way without a model
    theirs._experts_implementation = "grouped_mm"  # noqa: SLF001
    rotary = modeling.DiffusionGemmaTextRotaryEmbedding(theirs)
    positions = torch.arange(canvas.shape[1])[None]
    common = _read({name: source for name, source in sources.items() if ".layers." not in name})
    frame = Model(
        replace(config, layers=()),
        load_sampling(folder),
        assemble(replace(config, layers=()), dict(common)),
    )

    def run_layer(index: int, ours: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Both layers on the same weights, which are let go before the next ones are read."""
        at = f".layers.{index}."
        tensors = _read({name: source for name, source in sources.items() if at in name})
        model = _one_layer_model(frame, config, index, common | tensors)
        name = "sliding_attention" if config.layers[index].is_sliding else "full_attention"
        return model.run_layers(ours, model.new_cache(1)), _reference_layer(
            modeling, theirs, index, tensors
        )(
            hidden,
            position_embeddings=rotary(hidden, positions, name),
            attention_mask=None,
            past_key_values=None,
        )

    ours = hidden = frame.condition(frame.embed(canvas), None)
    differences: list[float] = []
    for index in range(len(config.layers)):
        _check(cancelled)
        report("layers", index, len(config.layers))
        ours, hidden = run_layer(index, ours, hidden)
        differences.append(_distance(ours, hidden))
    report("layers", len(config.layers), len(config.layers))
    norm = modeling.DiffusionGemmaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
    norm.weight.data = common["model.decoder.norm.weight"]
    blocks = zip(
        rms_norm(ours, norm.weight, config.rms_norm_eps)[0].split(_ROWS),
        norm(hidden)[0].split(_ROWS),
        strict=True,
    )
    return {
        "max_abs_logit_difference": max(
            _distance(frame.logits(mine), frame.logits(other)) for mine, other in blocks
        ),
        "generations_equal": None,
        "max_abs_layer_differences": differences,
        "method": "layer by layer",
    }


def _one_layer_model(
    frame: Model, config: ModelConfig, index: int, tensors: dict[str, Tensor]
) -> Model:
    """The network with a single one of its layers. frame: without any."""
    config = replace(config, layers=(config.layers[index],))
    renamed = {name.replace(f".layers.{index}.", ".layers.0."): t for name, t in tensors.items()}
    return Model(config, frame.sampling, assemble(config, renamed))


def _reference_layer(modeling: Any, config: Any, index: int, tensors: dict[str, Tensor]) -> Any:
    """The same layer as transformers builds it, on the same weights."""
    at = f"model.decoder.layers.{index}."
    with torch.device("meta"):
        layer = modeling.DiffusionGemmaDecoderTextLayer(config, index)
    own = {name.removeprefix(at): t for name, t in tensors.items() if name.startswith(at)}
    layer.load_state_dict(own, assign=True)
    # Without a prompt there is nothing to append to.
    layer.self_attn.append_to_cache = lambda past, keys, values: (keys, values)
    return layer.eval()


def _read(sources: dict[str, SourceTensor]) -> dict[str, Tensor]:
    """The tensors as float32, filled piece by piece, so that a large one is never there twice."""
    found = {name: torch.empty(source.shape) for name, source in sources.items()}
    for name, tensor in found.items():
        fill(tensor, sources[name], lambda _size: None)
    return found


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise EngineFault(
            ErrorKind.CANCELLED, "The check was cancelled.", "Start it again when you need it."
        )
