"""What a checkpoint says about itself: `config.json` and `generation_config.json`, checked.

Nothing has a silent default that could differ from the checkpoint: an unknown key, a missing key
or a value this engine does not implement is an `EngineFault` that names it. No torch here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.messages import EngineFault, ErrorKind, Sampling

ARCHITECTURE = "DiffusionGemmaForBlockDiffusion"

# Keys that say nothing about the computation, or that the readers of `engine.checkpoint` check.
_NEUTRAL = {
    "_name_or_path", "architectures", "attention_dropout", "bos_token_id", "chunk_size_feed_forward",
    "dtype", "eos_token_id", "id2label", "initializer_range", "is_encoder_decoder", "label2id",
    "max_length", "output_attentions", "output_hidden_states", "pad_token_id", "problem_type",
    "quantization_config",
    "return_dict", "torch_dtype", "transformers_version", "use_cache",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """One transformer layer. Sliding layers have a value projection, full layers reuse the keys."""

    is_sliding: bool
    head_dim: int
    num_kv_heads: int
    rope_theta: float
    rotated_dims: int  # of head_dim; the rest has frequency zero


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    patch_size: int
    position_embedding_size: int
    standardize: bool


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    vocab_size: int
    hidden_size: int
    intermediate_size: int  # dense MLP and self-conditioning
    moe_intermediate_size: int
    num_experts: int
    top_k_experts: int
    num_heads: int
    layers: tuple[LayerConfig, ...]
    sliding_window: int  # tokens, the query included
    max_positions: int
    rms_norm_eps: float
    final_logit_softcapping: float
    canvas_length: int
    boi_token_id: int
    image_token_id: int
    eoi_token_id: int
    vision: VisionConfig | None

    @property
    def window_keys(self) -> int:
        """Prefix tokens a sliding layer keeps: the window without the query itself."""
        return self.sliding_window - 1


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """A `Sampling` with every value filled in. See `engine.sampler` for their meaning."""

    max_denoising_steps: int
    t_min: float
    t_max: float
    entropy_bound: float
    stability_threshold: int
    confidence_threshold: float
    stop_ids: tuple[int, ...]
    pad_id: int = 0

    def __post_init__(self) -> None:
        checks = {
            "max_denoising_steps": 1 <= self.max_denoising_steps <= 4096,
            "t_min": 0 <= self.t_min <= 100,
            "t_max": self.t_min <= self.t_max <= 100 and self.t_max > 0,
            "entropy_bound": self.entropy_bound > 0,
            "stability_threshold": self.stability_threshold >= 0,
            "confidence_threshold": self.confidence_threshold > 0,
        }
        for name, is_fine in checks.items():
            if not is_fine:
                raise EngineFault(
                    ErrorKind.BAD_REQUEST,
                    f"The sampling setting {name} = {getattr(self, name)} is out of range.",
                    "Reset the sampling settings.",
                )

    def merged(self, sampling: Sampling | dict[str, Any] | None) -> SamplingConfig:
        """This configuration with the values a request sets."""
        if sampling is None:
            return self
        fields = sampling if isinstance(sampling, dict) else vars(sampling)
        known = {name: value for name, value in fields.items() if value is not None}
        if "stop_ids" in known:
            known["stop_ids"] = tuple(known["stop_ids"])
        return replace(self, **known)


def load_config(folder: Path) -> ModelConfig:
    """The model configuration of a checkpoint folder. Raises EngineFault."""
    return parse_config(read_json(folder / "config.json"))


def load_sampling(folder: Path) -> SamplingConfig:
    """The checkpoint's own sampling; without a generation_config.json, the published values."""
    path = folder / "generation_config.json"
    data = read_json(path) if path.is_file() else {}

    def pick(name: str, published: Any) -> Any:
        value = data.get(name)
        return published if value is None else value

    sampler = pick("sampler_config", {})
    if sampler.get("_cls_name", "EntropyBoundSamplerConfig") != "EntropyBoundSamplerConfig":
        raise _unsupported(f"the sampler {sampler['_cls_name']}")
    stop_ids = pick("eos_token_id", [1, 106, 50])
    return SamplingConfig(
        max_denoising_steps=pick("max_denoising_steps", 48),
        t_min=pick("t_min", 0.4),
        t_max=pick("t_max", 0.8),
        entropy_bound=sampler.get("entropy_bound", 0.1),
        stability_threshold=pick("stability_threshold", 1),
        confidence_threshold=pick("confidence_threshold", 0.005),
        stop_ids=tuple(stop_ids) if isinstance(stop_ids, list) else (stop_ids,),
        pad_id=pick("pad_token_id", 0),
    )


def parse_config(data: dict[str, Any]) -> ModelConfig:
    """A parsed config.json as a ModelConfig. Raises EngineFault for anything not understood."""
    if data.get("model_type") != "diffusion_gemma":
        raise _unsupported(f"models of type {data.get('model_type', 'unknown')!r}")
    architectures = data.get("architectures") or [ARCHITECTURE]
    if ARCHITECTURE not in architectures:
        raise _unsupported(f"the architecture {architectures[0]!r}")
    top = _Section("config.json", data)
    top.expect("tie_word_embeddings", True)
    top.skip("model_type", "vision_soft_tokens_per_image")
    text = _Section("text_config", top.take("text_config", dict))
    vision = top.take("vision_config", dict, None)
    config = _parse_text(
        text, top, _parse_vision(_Section("vision_config", vision)) if vision else None
    )
    top.finish()
    text.finish()
    return config


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the model folder. Raises EngineFault."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EngineFault(
            ErrorKind.MODEL_MISSING,
            f"The model folder has no {path.name}.",
            "Choose another folder, or download the model again.",
            str(path),
        ) from None
    except (OSError, ValueError, RecursionError) as fault:
        raise EngineFault(
            ErrorKind.MODEL_BROKEN,
            f"The file {path.name} of the model cannot be read.",
            "Download the model again.",
            f"{path}: {fault}",
        ) from fault
    if not isinstance(data, dict):
        raise EngineFault(
            ErrorKind.MODEL_BROKEN,
            f"The file {path.name} of the model does not hold a configuration.",
            "Download the model again.",
            str(path),
        )
    return data


def _parse_text(text: _Section, top: _Section, vision: VisionConfig | None) -> ModelConfig:
    text.expect("model_type", "diffusion_gemma_text")
    text.expect("attention_bias", False)
    text.expect("hidden_activation", "gelu_pytorch_tanh")
    text.expect("tie_word_embeddings", True)
    text.expect("use_bidirectional_attention", "vision")
    return ModelConfig(
        vocab_size=text.size("vocab_size"),
        hidden_size=text.size("hidden_size"),
        intermediate_size=text.size("intermediate_size"),
        moe_intermediate_size=text.size("moe_intermediate_size"),
        num_experts=text.size("num_experts"),
        top_k_experts=text.size("top_k_experts"),
        num_heads=text.size("num_attention_heads"),
        layers=_parse_layers(text),
        sliding_window=text.size("sliding_window"),
        max_positions=text.size("max_position_embeddings"),
        rms_norm_eps=text.number("rms_norm_eps"),
        # Absent from files written by transformers, whose class fixes it.
        final_logit_softcapping=text.number("final_logit_softcapping", 30.0),
        canvas_length=top.size("canvas_length"),
        boi_token_id=top.take("boi_token_id", int),
        image_token_id=top.take("image_token_id", int),
        eoi_token_id=top.take("eoi_token_id", int),
        vision=vision,
    )


def _parse_layers(text: _Section) -> tuple[LayerConfig, ...]:
    kinds = text.take("layer_types", list)
    if len(kinds) != text.size("num_hidden_layers") or kinds[-1] != "full_attention":
        raise _unsupported("these layer_types")
    rope = text.take("rope_parameters", dict)
    head_dim, kv_heads = text.size("head_dim"), text.size("num_key_value_heads")
    # The published file names the full layers' sizes; transformers writes them layer by layer.
    per_layer = text.take("per_layer_config", dict, {})
    global_dim = text.take("global_head_dim", int, None)
    global_kv = text.take("num_global_key_value_heads", int, None)
    if not per_layer and global_dim is None:
        raise _missing("text_config", "global_head_dim")

    def layer(index: int, kind: str) -> LayerConfig:
        if kind not in ("sliding_attention", "full_attention"):
            raise _unsupported(f"the layer type {kind!r}")
        own = dict(per_layer.get(str(index), {}))
        is_sliding = kind == "sliding_attention"
        dim = own.pop("head_dim", head_dim if is_sliding or global_dim is None else global_dim)
        kv = own.pop("num_key_value_heads", kv_heads if is_sliding else global_kv or kv_heads)
        if own:
            raise _unsupported(f"per_layer_config.{index}.{next(iter(own))}")
        theta, rotated = _parse_rope(rope, kind, dim)
        return LayerConfig(
            is_sliding=is_sliding,
            head_dim=dim,
            num_kv_heads=kv,
            rope_theta=theta,
            rotated_dims=rotated,
        )

    return tuple(layer(index, kind) for index, kind in enumerate(kinds))


def _parse_rope(rope: dict[str, Any], kind: str, head_dim: int) -> tuple[float, int]:
    """(theta, rotated dimensions) of a layer kind."""
    own = dict(rope.get(kind) or {})
    expected = "default" if kind == "sliding_attention" else "proportional"
    if own.pop("rope_type", None) != expected:
        raise _unsupported(f"rope_parameters.{kind}.rope_type")
    theta = own.pop("rope_theta", None)
    if not isinstance(theta, int | float):
        raise _missing("rope_parameters", f"{kind}.rope_theta")
    factor = own.pop("partial_rotary_factor", 1.0)
    if own or (kind == "sliding_attention" and factor != 1.0):
        raise _unsupported(f"rope_parameters.{kind}.{next(iter(own), 'partial_rotary_factor')}")
    return float(theta), 2 * int(factor * head_dim // 2)


def _parse_vision(vision: _Section) -> VisionConfig:
    vision.expect("model_type", "gemma4_vision")
    vision.expect("attention_bias", False)
    vision.expect("hidden_activation", "gelu_pytorch_tanh")
    vision.expect("use_clipped_linears", False)
    vision.skip(
        "rope_parameters", "max_position_embeddings", "default_output_length", "rms_norm_eps",
        "pooling_kernel_size",
    )  # fmt: skip
    head_dim = vision.size("head_dim")
    if vision.take("global_head_dim", int, head_dim) != head_dim:
        raise _unsupported("vision_config.global_head_dim")
    config = VisionConfig(
        hidden_size=vision.size("hidden_size"),
        intermediate_size=vision.size("intermediate_size"),
        num_layers=vision.size("num_hidden_layers"),
        num_heads=vision.size("num_attention_heads"),
        num_kv_heads=vision.size("num_key_value_heads"),
        head_dim=head_dim,
        patch_size=vision.size("patch_size"),
        position_embedding_size=vision.size("position_embedding_size"),
        standardize=vision.take("standardize", bool),
    )
    vision.finish()
    return config


class _Section:
    """One object of config.json; remembers which keys have been read."""

    _REQUIRED = object()

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self._data = data
        self._read: set[str] = set()

    def take(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        self._read.add(key)
        value = self._data.get(key)
        if value is None:
            if default is self._REQUIRED:
                raise _missing(self.name, key)
            return default
        if not isinstance(value, kind):
            raise _unsupported(f"{self.name}.{key} = {value!r}")
        return value

    def size(self, key: str) -> int:
        value: int = self.take(key, int)
        if isinstance(value, bool) or not 0 < value < 2**31:
            raise _unsupported(f"{self.name}.{key} = {value!r}")
        return value

    def number(self, key: str, default: Any = _REQUIRED) -> float:
        value = self.take(key, (int, float), default)  # type: ignore[arg-type]
        if not value > 0:
            raise _unsupported(f"{self.name}.{key} = {value!r}")
        return float(value)

    def expect(self, key: str, value: Any) -> None:
        self._read.add(key)
        if self._data.get(key, value) != value:
            raise _unsupported(f"{self.name}.{key} = {self._data[key]!r}")

    def skip(self, *keys: str) -> None:
        self._read.update(keys)

    def finish(self) -> None:
        unknown = set(self._data) - self._read - _NEUTRAL
        if unknown:
            raise _unsupported(f"the setting {self.name}.{min(unknown)}")


def _unsupported(what: str) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_UNSUPPORTED,
        f"Redraft cannot run this model: it does not support {what}.",
        "Choose a DiffusionGemma model, or update Redraft.",
    )


def _missing(section: str, key: str) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_UNSUPPORTED,
        f"Redraft cannot run this model: its {section} does not say {key}.",
        "Choose a DiffusionGemma model, or download this one again.",
    )
