"""The network: the causal encoder pass that fills the cache, the decoder pass over a canvas.

Both passes run the same weights; they differ in the mask, the layer scalars and the
self-conditioning. Source: `modeling_diffusion_gemma.py` in transformers.
Shape letters: B canvases, C canvas positions, T prompt tokens, D hidden size, V vocabulary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import LayerConfig, ModelConfig, SamplingConfig
from engine.faults import no_numbers
from engine.kernels.vocabulary import softcapped_logits
from engine.model.attention import Rotation, attend, attend_causal, project, rotation
from engine.model.cache import KVCache
from engine.model.fused import FusedLayers
from engine.model.layer import finish_layer, gated_mlp
from engine.model.norm import rms_norm
from engine.model.weights import LayerWeights, ModelWeights, all_tensors
from engine.quant.matmul import linear, lookup, mix
from engine.sizes import SCORE_ROWS, SLACK, SMALL, USUAL, Portions


class Model:
    """A loaded checkpoint: configuration, weights and the two passes."""

    def __init__(
        self,
        config: ModelConfig,
        sampling: SamplingConfig,
        weights: ModelWeights,
        portions: Portions = USUAL,
        fused: FusedLayers | None = None,
    ) -> None:
        """fused: the layers by fused operations, over the same weights; None for plain torch."""
        self.config = config
        self.sampling = sampling
        self.weights = weights
        self.portions = portions
        self.fused = fused
        self.device = weights.norm.device
        self.dtype = weights.norm.dtype
        # In bfloat16 the factor itself is rounded (sqrt(2816) becomes 53.0), as in training.
        self.embedding_scale = torch.tensor(
            config.hidden_size**0.5, dtype=self.dtype, device=self.device
        )

    def new_cache(self, max_tokens: int, bits: int = 16) -> KVCache:
        """An empty cache for one sequence of up to `max_tokens` tokens; bits as of `KVCache`."""
        return KVCache(self.config, max_tokens, self.device, self.dtype, bits)

    def in_small(self) -> Model:
        """The same weights, worked with in pieces that take little memory."""
        return Model(self.config, self.sampling, self.weights, SMALL, self.fused)

    @property
    def bytes_used(self) -> int:
        """Bytes of all weights."""
        return sum(tensor.nbytes for tensor in all_tensors(self.weights))

    @torch.inference_mode()
    def prefill(self, ids: Tensor, cache: KVCache, chunk: int = SLACK) -> None:
        """Encodes ids (int64 [T]) causally and appends them to the cache.

        Raises ValueError when the cache is too small.
        """
        for part in ids.split(min(chunk, self.portions.chunk)) if ids.numel() else ():
            cache.reserve(part.shape[0])
            self._encode(part, cache, stores=True)
            cache.append(part.tolist())

    @torch.inference_mode()
    def score(self, ids: Tensor, cache: KVCache) -> Tensor:
        """Log-probabilities (float32 [T]) of ids (int64 [T]) behind the cache, by the encoder.

        The cache is left as it was. The probability of the first id comes from the last cached
        token, which is encoded again; so the cache must hold at least one token. Raises EngineFault
        for values that are no numbers.
        """
        if not cache.length:
            raise ValueError("score needs at least one token in the cache")
        last = torch.tensor(cache.ids[-1:], device=self.device)
        with cache.without_last():
            hidden = self._encode(torch.cat((last, ids.to(self.device)))[:-1], cache, stores=False)
        assert hidden is not None
        parts = [
            -F.cross_entropy(self.logits(rows), wanted, reduction="none")
            for rows, wanted in zip(
                hidden[0].split(SCORE_ROWS), ids.to(self.device).split(SCORE_ROWS), strict=True
            )
        ]
        found = torch.cat(parts)
        if not bool(found.isfinite().all()):
            raise no_numbers()
        return found

    @torch.inference_mode()
    def denoise(self, canvas: Tensor, cache: KVCache, previous: Tensor | None) -> Tensor:
        """Softcapped logits (float32 [..., C, V]) of one decoder pass, for inspection and parity.

        canvas: int64 [C] or [B, C] with C <= canvas_length; previous: the tempered logits of the
        last step, float32 [..., C, V], or None on the first one. The cache is read only.
        """
        soft = None
        if previous is not None:
            chance = previous.to(self.dtype).softmax(dim=-1, dtype=torch.float32).to(self.dtype)
            soft = mix(chance, self.weights.embedding).view(
                -1, *previous.shape[-2:-1], self.config.hidden_size
            )
        hidden = self.decode(canvas.view(-1, canvas.shape[-1]), cache, soft)
        return self.logits(hidden).view(*canvas.shape, -1)

    @torch.inference_mode()
    def decode(self, canvas: Tensor, cache: KVCache, soft: Tensor | None) -> Tensor:
        """Final hidden states [B, C, D] of canvas (int64 [B, C]) over the cached prefix.

        soft [B, C, D]: the expected embedding under the last step's distribution, unscaled, or None
        on the first step. Every canvas position sees the whole canvas and the same prefix tokens:
        all of them on full layers, the last `sliding_window - 1` on sliding ones.
        """
        if canvas.shape[1] > self.config.canvas_length:
            raise ValueError(
                f"a canvas holds {self.config.canvas_length} tokens, not {canvas.shape[1]}"
            )
        x = self.condition(self.embed(canvas), soft)
        if self.fused is not None:
            return self.fused.hidden(x, cache)
        x = self.run_layers(x, cache)
        return rms_norm(x, self.weights.norm, self.config.rms_norm_eps)

    def run_layers(self, x: Tensor, cache: KVCache) -> Tensor:
        """The decoder's layers over conditioned embeddings x [B, C, D], before the last norm."""
        rotations = self._rotations(cache.length, x.shape[1])
        for index, weights in enumerate(self.weights.layers):
            attended = self._look_around(index, x, cache, rotations[weights.config])
            x = self._finish(weights, x, attended, weights.decoder_scalar)
        return x

    def look_up(self, ids: Tensor) -> Tensor:
        """Unscaled embeddings [..., D] of ids [...]."""
        return lookup(ids, self.weights.embedding, self.dtype)

    def embed(self, ids: Tensor) -> Tensor:
        """Scaled embeddings [..., D] of ids [...]."""
        return self.look_up(ids) * self.embedding_scale

    def logits(self, hidden: Tensor) -> Tensor:
        """Softcapped logits (float32 [..., V]) of final hidden states [..., D]."""
        return softcapped_logits(
            hidden, self.weights.embedding, self.config.final_logit_softcapping
        )

    def condition(self, x: Tensor, soft: Tensor | None) -> Tensor:
        """Adds the self-conditioning signal; the outer norm applies without a signal too."""
        weights, eps = self.weights, self.config.rms_norm_eps
        if soft is not None:
            soft = soft * self.embedding_scale
            gate_up, down = weights.condition_gate_up, weights.condition_down
            if self.fused is not None:
                x = x + self.fused.mlp(soft, gate_up, down, weights.condition_norm)
            else:
                x = x + gated_mlp(rms_norm(soft, weights.condition_norm, eps), gate_up, down)
        return rms_norm(x, None, eps)

    def _encode(self, ids: Tensor, cache: KVCache, *, stores: bool) -> Tensor | None:
        """One causal pass over ids [T] behind the cache.

        With `stores` the keys and values are written to the cache, and the pass ends with those of
        the last layer (its output serves nobody); otherwise it returns hidden states [1, T, D].
        """
        x = self.embed(ids.to(self.device))[None]
        if self.fused is not None:
            return self.fused.encode(x, cache, stores=stores)
        rotations = self._rotations(cache.length, ids.shape[0])
        for index, weights in enumerate(self.weights.layers):
            is_end = stores and index + 1 == len(self.weights.layers)
            attended = self._look_back(index, x, cache, rotations[weights.config], keys_only=is_end)
            if attended is None:
                return None
            x = self._finish(weights, x, attended, weights.encoder_scalar)
        return rms_norm(x, self.weights.norm, self.config.rms_norm_eps)

    def _look_around(self, index: int, x: Tensor, cache: KVCache, turn: Rotation) -> Tensor:
        """The decoder's attention of a layer, [B, C, D]: over the prefix and the own canvas."""
        weights = self.weights.layers[index]
        queries, keys, values = self._project(weights, x, turn)
        mixed = [
            attend(own, *cache.extend(index, own_keys, own_values))
            for own, own_keys, own_values in zip(queries, keys, values, strict=True)
        ]
        return linear(torch.stack(mixed), weights.o)

    def _look_back(
        self, index: int, x: Tensor, cache: KVCache, turn: Rotation, *, keys_only: bool
    ) -> Tensor | None:
        """The encoder's attention of a layer, [1, T, D]; None where only its keys are wanted."""
        weights = self.weights.layers[index]
        queries, keys, values = self._project(weights, x, turn)
        seen = cache.extend(index, keys[0], values[0])
        if keys_only:
            return None
        window = self.config.sliding_window if weights.config.is_sliding else None
        return linear(attend_causal(queries[0], *seen, window)[None], weights.o)

    def _project(
        self, weights: LayerWeights, x: Tensor, turn: Rotation
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, T, H, d], keys and values [B, K, T, d] of the layer's input x [B, T, D]."""
        eps = self.config.rms_norm_eps
        queries, keys, values = project(weights, rms_norm(x, weights.input_norm, eps), turn, eps)
        return queries, keys.transpose(1, 2), values.transpose(1, 2)

    def _finish(self, weights: LayerWeights, x: Tensor, attended: Tensor, scalar: Tensor) -> Tensor:
        top_k, eps = self.config.top_k_experts, self.config.rms_norm_eps
        return finish_layer(weights, x, attended, scalar, top_k, eps)

    def _rotations(self, start: int, count: int) -> dict[LayerConfig, Rotation]:
        """The rotary embeddings of positions start ... start + count - 1, per kind of layer."""
        positions = torch.arange(start, start + count, device=self.device)
        kinds = {weights.config for weights in self.weights.layers}
        return {kind: rotation(kind, positions, self.dtype) for kind in kinds}
