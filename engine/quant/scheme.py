"""Which kind of tensor is stored how. Plain data without torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.messages import EngineFault, ErrorKind
from engine.quant.layouts import Int4Layout, Int8Layout, Layout


class Role(Enum):
    """What a tensor of the network is there for."""

    EXPERTS = "experts"
    ATTENTION = "attention"
    MLP = "mlp"  # dense
    CONDITIONING = "conditioning"  # of a step on the one before
    EMBEDDING = "embedding"  # also the language-model head
    PLAIN = "plain"  # norms, router, scalars: small, and what they say must not be rounded


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the matrices of a role are stored."""

    bits: int  # 4 or 8
    group_size: int = 64  # of four bits; eight bits have one scale a row
    scale_dtype: str = "bfloat16"  # of four bits


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """A way for each role; None leaves the role's tensors as plain numbers."""

    experts: Way | None
    attention: Way | None
    mlp: Way | None
    conditioning: Way | None
    embedding: Way | None

    def way(self, role: Role) -> Way | None:
        ways = {
            Role.EXPERTS: self.experts,
            Role.ATTENTION: self.attention,
            Role.MLP: self.mlp,
            Role.CONDITIONING: self.conditioning,
            Role.EMBEDDING: self.embedding,
        }
        return ways.get(role)


FOUR, EIGHT = Way(bits=4), Way(bits=8)
PLAIN = "source"  # the checkpoint's own numbers, none of them quantised
SCHEMES = {
    PLAIN: Scheme(experts=None, attention=None, mlp=None, conditioning=None, embedding=None),
    "int4": Scheme(experts=FOUR, attention=EIGHT, mlp=EIGHT, conditioning=EIGHT, embedding=EIGHT),
    "int4-small": Scheme(
        experts=FOUR, attention=FOUR, mlp=FOUR, conditioning=FOUR, embedding=EIGHT
    ),
    "int8": Scheme(experts=EIGHT, attention=EIGHT, mlp=EIGHT, conditioning=EIGHT, embedding=EIGHT),
}


def find_scheme(name: str) -> Scheme:
    """The scheme of that name. Raises EngineFault where there is none."""
    if name not in SCHEMES:
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            f"There are no weights of kind {name!r}.",
            f"Choose one of {', '.join(SCHEMES)}.",
        )
    return SCHEMES[name]


def layout_of(shape: tuple[int, ...], way: Way, *, shared_input: bool = False) -> Layout:
    """The bits of a tensor of that shape, stored that way. Raises EngineFault without a layout."""
    if way.bits == 8:
        return Int8Layout(shape=shape, shared_input=shared_input)
    return Int4Layout(
        shape=shape,
        group_size=way.group_size,
        scale_dtype=way.scale_dtype,
        shared_input=shared_input,
    )
