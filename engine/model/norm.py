"""Root-mean-square normalisation, in float32 whatever the dtype of its input."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """x · (mean(x²) + eps)^-½ · weight over the last dimension, in x's dtype."""
    scale = None if weight is None else weight.float()
    return F.rms_norm(x.float(), x.shape[-1:], scale, eps).to(x.dtype)
