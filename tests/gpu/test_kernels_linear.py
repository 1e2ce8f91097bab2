"""The kernels of the linear layers on a real chip, at the sizes of the 26B model, against plain torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import engine.quant.matmul
from engine.kernels import dense, experts, experts8, norms, portable, routing
from engine.kernels.activations import HALF, Form, Rows, plain_rows, values
from engine.kernels.heads import split_heads, split_heads_plain
from engine.kernels.norms import FinishWeights, Reader
from engine.kernels.tiles import expert_rows
from engine.model.layer import finish_layer
from engine.quant.pack import powers_of_two
from tests.engine.kernels.checks import same, stand_for
from tests.engine.kernels.layer import EPS, Sizes, finish_by_kernels, random_layer
from tests.engine.kernels.weights import int4, int8

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

D, WIDTH, E, K = 2816, 704, 128, 8  # hidden size, expert width, experts, active ones
BF16 = torch.bfloat16
FORMS = {"int8": Form(), "int8-32": Form(group=32), "half": HALF}
ROWS = [1, 7, 255, 256, 2048]


@pytest.fixture(autouse=True)
def _compiled() -> Iterator[None]:
    assert not portable.INTERPRETED, "TRITON_INTERPRET is set; these tests want the compiler"
    assert portable.why_not(torch.device("cuda")) is None
    yield
    torch.cuda.empty_cache()


@pytest.fixture(params=FORMS.values(), ids=FORMS.keys())
def form(request: pytest.FixtureRequest) -> Form:
    return request.param


def draw(*shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(seed)
    return torch.randn(shape, generator=generator, device="cuda")


def pick(tokens: int, skew: float) -> Tensor:
    """Experts [T, k]: alike at 0; at larger skews a few get nearly everything, and many nothing."""
    favourite = torch.linspace(skew, 0, E, device="cuda")
    return (draw(tokens, E) + favourite).topk(K).indices.to(torch.int32)


@pytest.mark.parametrize("rows", ROWS)
def test_norms(rows: int, form: Form) -> None:
    x, attended = draw(2, rows, D).to(BF16)
    reader, weight = Reader(factor=draw(D), form=form), draw(D).to(BF16)
    stand_for(norms.quantise(x, reader), x.float() * reader.factor, form)
    exact = F.rms_norm(x.float(), (D,), reader.factor, EPS)
    stand_for(norms.norm(x, reader, EPS), exact, form)

    found = norms.add_norm(x, attended, weight, EPS, reader, reader, draw(D, seed=2))
    wanted = norms.add_norm_plain(x, attended, weight, EPS, reader, reader, draw(D, seed=2))
    same(found.residual, wanted.residual)
    after = F.rms_norm(found.residual.float(), (D,), None, EPS)
    stand_for(found.dense, after * reader.factor, form)
    stand_for(found.sparse, after * reader.factor, form)
    same(found.router, after * draw(D, seed=2))


@pytest.mark.parametrize("scalars", [1, 256])
def test_finish(form: Form, scalars: int) -> None:
    x, mlp = draw(2, 256, D).to(BF16)
    pairs, share = draw(256 * K, D, seed=2).to(BF16), draw(256, K).softmax(-1)
    one, two, three = draw(3, D, seed=3).to(BF16)
    scalar = torch.linspace(0.7, 0.2, scalars, device="cuda").to(BF16)
    weights = FinishWeights(dense=one, sparse=two, both=three, scalar=scalar)
    given = (x, mlp, pairs, share, weights, EPS, Reader(factor=draw(D), form=form))
    found, rows = norms.finish(*given)
    same(found, norms.finish_plain(*given)[0])
    stand_for(rows, F.rms_norm(found.float(), (D,), draw(D), EPS), form)


@pytest.mark.parametrize(("size", "kv_heads", "shared"), [(256, 8, False), (512, 2, True)])
def test_heads(size: int, kv_heads: int, shared: bool) -> None:
    joined = draw(2 * 255, (16 + (1 if shared else 2) * kv_heads) * size).to(BF16)
    q_norm, k_norm = draw(2, size).to(BF16)
    angle = draw(255, size) * 100
    given = (joined, q_norm, k_norm, angle.cos(), angle.sin(), kv_heads, EPS)
    found = split_heads(*given, values_are_keys=shared)
    wanted = split_heads_plain(*given, values_are_keys=shared)
    for name in ("queries", "keys", "values"):
        same(getattr(found, name), getattr(wanted, name))


@pytest.mark.parametrize("tokens", ROWS)
@pytest.mark.parametrize("skew", [0.0, 20.0])
def test_routing(tokens: int, skew: float) -> None:
    scores, scale = draw(tokens, E) * 3, draw(E, seed=2)
    found, share = routing.route(scores, scale, K)
    wanted, wanted_share = routing.route_plain(scores, scale, K)
    assert torch.equal(found, wanted)
    torch.testing.assert_close(share, wanted_share, rtol=1e-5, atol=1e-7)
    chosen = pick(tokens, skew)
    for block in (16, 32, 64):
        made = routing.schedule(chosen, E, block)
        plain = routing.schedule_plain(chosen, E, block)
        assert torch.equal(made.experts, plain.experts)
        used = int((made.experts >= 0).sum()) * block
        assert torch.equal(made.order[:used], plain.order[:used])


@pytest.mark.parametrize(("tokens", "skew"), [(1, 0), (7, 0), (255, 20), (256, 0), (2048, 0)])
@pytest.mark.parametrize("dtype", [BF16, torch.float16])
@pytest.mark.parametrize("bits", [4, 8])
def test_expert_products(
    tokens: int, skew: float, form: Form, dtype: torch.dtype, bits: int
) -> None:
    make, kernels = (partial(int4, group=form.group), experts) if bits == 4 else (int8, experts8)
    gate_up, down = make(E, 2 * WIDTH, D, device="cuda"), make(E, D, WIDTH, device="cuda")
    chosen = pick(tokens, skew)
    made = routing.schedule(chosen, E, expert_rows(tokens * K, E))
    powers = torch.randint(-1, 2, (E, WIDTH), device="cuda", dtype=torch.int8)
    x = plain_rows(draw(tokens, D) * 0.1, form, dtype)
    inner = kernels.gated_product(x, gate_up, made, K, powers, form, dtype)
    exact = experts.gated_product_plain(x, gate_up, chosen, powers, HALF, torch.float32)
    assert isinstance(exact, Tensor)
    stand_for(inner, exact, form)
    rows: Rows = plain_rows(draw(tokens * K, WIDTH), form, dtype)
    owners = chosen.flatten()
    wanted = experts.product_plain(rows, down, owners, torch.float32)
    same(kernels.product(rows, down, made, torch.float32), wanted)
    same(kernels.product(rows, down, made, dtype), wanted)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", ["int8", "whole", "half"])
@pytest.mark.parametrize(("outputs", "inputs"), [(8192, D), (D, 4096), (D, 2112)])
def test_dense_products(rows: int, kind: str, outputs: int, inputs: int) -> None:
    form = {"int8": Form(), "whole": Form(whole=True), "half": HALF}[kind]
    weight, x = int8(outputs, inputs, device="cuda"), plain_rows(draw(rows, inputs), form, BF16)
    wanted = values(x) @ weight.even(torch.float32).T
    same(dense.product(x, weight, torch.float32), wanted)
    same(dense.product(x, weight, BF16), wanted)


@pytest.mark.parametrize("rows", ROWS)
def test_the_dense_gate(rows: int, form: Form) -> None:
    weight, powers = int8(4224, D, device="cuda"), int8(1, 2112, device="cuda").exponents
    x = plain_rows(draw(rows, D) * 0.1, form, BF16)
    gate, up = (values(x) @ weight.even(torch.float32).T).chunk(2, dim=1)
    wanted = F.gelu(gate, approximate="tanh") * up * powers_of_two(powers)
    stand_for(dense.gated_product(x, weight, powers, form, BF16), wanted, form)


@pytest.mark.parametrize("rows", [1, 255])
def test_dense_weights_of_four_bits(rows: int, form: Form) -> None:
    weight = int4(4096, D, group=form.group, device="cuda")
    x = plain_rows(draw(rows, D), form, BF16)
    made = routing.whole(rows, 64, torch.device("cuda"))
    wanted = values(x) @ weight.even(torch.float32).T
    same(experts.product(x, weight, made, torch.float32), wanted)


@pytest.fixture(scope="module")
def layer():
    sizes = Sizes(hidden=D, dense=2112, experts=E, width=WIDTH, top_k=K)
    return random_layer(sizes, device="cuda")


def test_a_layer_in_int8_is_near_float32(layer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.quant.matmul, "_SLICE", 1)  # an expert at a time, in float32
    x, attended = draw(2, 256, D)
    wanted = finish_layer(layer, x[None], attended[None], layer.decoder_scalar, K, EPS)[0]
    found = finish_by_kernels(layer, x, attended, layer.decoder_scalar, K, Form())
    assert torch.cosine_similarity(found, wanted, dim=1).min() >= 0.999
    added = (
        torch.stack([found, wanted]) / layer.decoder_scalar - x
    )  # without what would hide errors
    assert torch.cosine_similarity(*added, dim=1).min() >= 0.999


def test_a_layer_as_a_cuda_graph(layer) -> None:
    """No word from the host: a replay on other inputs gives, bit by bit, what a plain run gives."""
    x, attended = draw(2, 256, D).to(BF16)
    layer = replace(layer, router=layer.router.to(BF16))

    def run() -> Tensor:
        return finish_by_kernels(layer, x, attended, layer.decoder_scalar, K, Form())

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        run()  # compiles
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run()
    for seed in (5, 6):
        x.copy_(draw(256, D, seed=seed))
        attended.copy_(draw(256, D, seed=seed + 10))
        graph.replay()
        assert torch.equal(out, run())
