"""Final hidden states and embeddings for the kernels over the vocabulary, and their exact logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.activations import Form, Int8Rows, Rows, plain_rows
from engine.kernels.logits import Tile
from engine.quant.pack import powers_of_two
from engine.quant.quantise import quantise_int8
from engine.quant.tensors import Matrix, dequantise

SMALL = Tile(rows=16, tokens=64, depth=32, warps=4, stages=1)
LARGE = Tile(rows=256, tokens=512, depth=64, warps=4, stages=1)
WIDE = Tile(rows=256, tokens=64, depth=64, warps=4, stages=1)
TALL = Tile(rows=128, tokens=16, depth=16, warps=4, stages=1)


@dataclass(frozen=True)
class Head:
    rows: Rows
    matrix: Matrix
    hidden: Tensor  # float64 [R, D], what the rows stand for
    embedding: Tensor  # float64 [V, D], what the matrix stands for

    def logits(self, softcap: float, temperature: float) -> Tensor:
        """Tempered, float64 [R, V]."""
        return softcap * torch.tanh(self.hidden @ self.embedding.T / softcap) / temperature

    def log_chances(self, softcap: float, temperature: float) -> Tensor:
        """float64 [R, V]."""
        return self.logits(softcap, temperature).log_softmax(dim=-1)


def make_head(hidden: Tensor, embedding: Tensor, kind: str = "float32") -> Head:
    """kind: "float32", "bfloat16", "w8a16" (float32 rows), "w8a16 bfloat16" or "w8a8"."""
    if kind in ("float32", "bfloat16"):
        dtype = getattr(torch, kind)
        hidden, embedding = hidden.to(dtype), embedding.to(dtype)
        return Head(hidden, embedding, hidden.double(), embedding.double())
    matrix = quantise_int8(embedding, name="embedding")
    exact = dequantise(matrix).double()
    if kind.startswith("w8a16"):
        hidden = hidden.to(torch.bfloat16 if kind.endswith("bfloat16") else torch.float32)
        return Head(hidden, matrix, hidden.double(), exact)
    factors = powers_of_two(matrix.exponents)
    rows = plain_rows(hidden * factors, Form(whole=True), torch.float32)
    assert isinstance(rows, Int8Rows)
    meant = rows.codes[:, : hidden.shape[1]].double() * rows.scale.double() / factors
    return Head(rows, matrix, meant, exact)


def random_head(
    rows: int,
    tokens: int,
    size: int,
    *,
    kind: str = "float32",
    sharpness: float = 2.0,
    seed: int = 0,
) -> Head:
    """Rows that lean towards one token each; a few inputs are large, as in real models."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(tokens, size, generator=generator) / size**0.5
    embedding[:, :3] *= torch.tensor([8.0, 0.1, 4.0])
    wanted = torch.randint(tokens, (rows,), generator=generator)
    hidden = sharpness * (
        embedding[wanted] * size**0.5 + torch.randn(rows, size, generator=generator)
    )
    return make_head(hidden, embedding, kind)
