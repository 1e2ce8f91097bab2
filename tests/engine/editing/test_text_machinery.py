"""From a document to a canvas and back, without a network: random ids stand in the gaps.

Held against plain strings: what is outside of the spans keeps its bytes, and what stood on the
canvas around a gap is what stands around it in the edited document.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.config import ModelConfig, load_config
from engine.denoise import FREE
from engine.editing.borders import left_border, right_border
from engine.editing.layout import Layout, Rules, fitting_width
from engine.editing.prove import fill, prove_outside
from engine.editing.window import build_window, check_spans, groups
from engine.messages import EngineFault, Span
from engine.text.tokenizer import Tokenizer, clean
from tests.engine.editing import fuzz
from tests.engine.text import gemma_like

DEMO = Path(__file__).parents[3] / "assets" / "demo_model"
EDITS = 1500  # here; tests/benchmarks/editing.py makes 10,000


@pytest.fixture(scope="module", params=["demo", "gemma"])
def tokenizer(request, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    if request.param == "demo":
        return Tokenizer.load(DEMO)
    folder = tmp_path_factory.mktemp("gemma")
    gemma_like.build(folder)
    return Tokenizer.load(folder)


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    return load_config(DEMO)


def random_fill(
    rng: random.Random, tokenizer: Tokenizer, rules: Rules, layout: Layout
) -> list[list[int]]:
    """Ids for each gap that the rules allow, seldom a single byte: those rarely make a character."""
    places = rules.places([layout], layout.length)[0]
    whole = {token for token, _ in tokenizer.vocabulary}

    def pick(at: int) -> int:
        allowed = (~rules.barred[places[at]]).nonzero().flatten().tolist()
        texts = [token for token in allowed if token in whole]
        return rng.choice(texts if texts and rng.random() < 0.97 else allowed)

    return [[pick(at) for at in range(slot.start, slot.stop)] for slot in layout.slots]


def edit_once(
    rng: random.Random, tokenizer: Tokenizer, config: ModelConfig, text: str, spans: list[Span]
) -> bool:
    """One edit by random ids; whether it could be made. Asserts all that must hold."""
    check_spans(text, spans)
    indices = groups(tokenizer, text, spans, [5] * len(spans), 127)[0]
    window = build_window(tokenizer, text, spans, indices, reach=40, room=100)
    layout = Layout(
        window=window, lengths=tuple(spans[index].length_hint or 1 for index in indices)
    )
    rules = Rules.of(tokenizer, config, window)
    if not all(rules.can_hold(gap, n) for gap, n in enumerate(layout.lengths)):
        return False
    ids = [token for token in layout.pins(tokenizer, 128) if token != FREE]
    assert not set(ids[: window.pinned]) & tokenizer.markup_ids, "the document became markup"
    filled = random_fill(rng, tokenizer, rules, layout)
    canvas = layout.pins(tokenizer, 128)
    texts = []
    for gap, slot, new in zip(window.gaps, layout.slots, filled, strict=True):
        canvas[slot] = new
        texts.append(gap.text(tokenizer.decode(new)))
    if any(new is None or "\ufffd" in new for new in texts):
        return False

    chosen = [spans[index] for index in indices]
    edited = fill(text, chosen, texts)
    prove_outside(text, chosen, texts, edited)
    expected = plain_edit(text, chosen, texts)
    assert edited.encode("utf-8", "surrogatepass") == expected.encode("utf-8", "surrogatepass")
    assert tokenizer.decode(canvas[: layout.length]) in clean(edited)
    return True


def plain_edit(text: str, spans: list[Span], texts: list[str]) -> str:
    """The same edit by replacing from the back."""
    order = sorted(range(len(spans)), key=lambda i: (spans[i].start, spans[i].end, i))
    for index in reversed(order):
        span, new = spans[index], texts[index]
        text = text[: span.start] + new + text[span.end :]
    return text


def test_outside_bytes_survive_fuzzed_edits(tokenizer: Tokenizer, config: ModelConfig) -> None:
    rng = random.Random(20261121)
    done = 0
    for _ in range(EDITS):
        text = fuzz.document(rng, 30)
        done += edit_once(rng, tokenizer, config, text, fuzz.spans(rng, text, 3))
    assert done > EDITS / 2, "most edits must be possible, or nothing was tested"


def test_a_document_of_a_million_characters_is_read_near_its_gaps_only(
    tokenizer: Tokenizer, config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(3)
    text = "A word, and more words. \n" * 40_000
    spans = [Span(start=500_000, end=500_010, length_hint=3), Span(start=9, end=9, length_hint=2)]
    sizes: list[int] = []
    encode = Tokenizer.encode

    def spy(self: Tokenizer, words: str) -> list[int]:
        sizes.append(len(words))
        return encode(self, words)

    monkeypatch.setattr(Tokenizer, "encode", spy)
    assert edit_once(rng, tokenizer, config, text, spans)
    assert sum(sizes) < 10_000


@pytest.mark.parametrize(
    ("before", "inside", "after", "swallowed", "lent"),
    [
        ("She likes her ", "", "boat.", " ", " "),  # a caret in front of a word
        ("She likes her ", "red ", "boat.", " ", " "),
        ("She likes her ", "red", " boat.", " ", ""),
        ("She likes her", " red", " boat.", "", ""),
        ("line\n", "", "next", "", ""),
        ("a\tb\t", "c", "\td", "", ""),
        ("", "x", "", "", ""),
    ],
)
def test_blanks_go_to_the_word_behind_them(
    tokenizer: Tokenizer, before: str, inside: str, after: str, swallowed: str, lent: str
) -> None:
    preceding = (before + inside)[-1:]
    left = left_border(tokenizer, before, (inside + after)[:1])
    right = right_border(tokenizer, preceding, after)
    assert (left.swallowed, right.lent) == (swallowed, lent)
    assert tokenizer.decode(left.ids) + left.swallowed == before
    assert right.swallowed + tokenizer.decode(right.ids) == right.lent + after


def test_a_border_inside_of_a_word_opens_its_token(tokenizer: Tokenizer) -> None:
    left = left_border(tokenizer, "She was walk", "i")
    right = right_border(tokenizer, "k", "ing home")
    assert left.swallowed
    assert "She was walk".endswith(left.swallowed)
    assert right.swallowed
    assert "ing home".startswith(right.swallowed)
    text = "She was walking home"
    window = build_window(tokenizer, text, [Span(start=12, end=12)], [0], reach=40, room=100)
    assert window.gaps[0].head == left.swallowed
    assert window.gaps[0].tail == right.swallowed


def test_characters_of_several_tokens_stay_pinned(tokenizer: Tokenizer) -> None:
    family = "👩\u200d👩\u200d👧"
    for cut in range(1, len(family)):
        left = left_border(tokenizer, family[:cut], family[cut])
        right = right_border(tokenizer, family[cut - 1], family[cut:])
        assert tokenizer.decode(left.ids) + left.swallowed == family[:cut]
        assert right.swallowed + tokenizer.decode(right.ids) == family[cut:]


def test_special_ids_are_barred_from_every_gap(tokenizer: Tokenizer, config: ModelConfig) -> None:
    text = "one  two"
    window = build_window(tokenizer, text, [Span(start=4, end=4)], [0], reach=40, room=100)
    rules = Rules.of(tokenizer, config, window)
    assert rules.barred[:, sorted(tokenizer.markup_ids)].all()
    assert rules.barred[:, tokenizer.vocab_size :].all()
    vocabulary = dict(tokenizer.vocabulary)
    allowed = (~rules.barred[1]).nonzero().flatten().tolist()
    assert allowed
    assert all(vocabulary[token].startswith(" ") for token in allowed)
    ordinary = set((~rules.barred[0]).nonzero().flatten().tolist())
    rest = set(range(tokenizer.vocab_size)) - tokenizer.markup_ids - ordinary
    names = {vocabulary[token] for token in rest}
    assert all(name.startswith(("<unused", "<unk", "<mask")) for name in names)
    assert rules.can_hold(0, 1)


def test_widths_are_few_and_hold_what_they_must(config: ModelConfig) -> None:
    widths = {fitting_width(config, tokens) for tokens in range(1, config.canvas_length)}
    assert len(widths) <= 16
    for tokens in range(1, config.canvas_length):
        assert tokens + 1 <= fitting_width(config, tokens) <= config.canvas_length


def test_gaps_far_apart_have_windows_of_their_own(tokenizer: Tokenizer) -> None:
    text = "word " * 300
    near = [Span(start=5, end=5), Span(start=20, end=20)]
    far = [*near, Span(start=1400, end=1400)]
    assert groups(tokenizer, text, near, [4, 4], 127) == [[0, 1]]
    assert groups(tokenizer, text, far, [4, 4, 4], 127) == [[0, 1], [2]]
    assert groups(tokenizer, text, near, [60, 60], 127) == [[0], [1]]


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([], "no gap"),
        ([Span(start=0, end=3), Span(start=2, end=4)], "overlap"),
        ([Span(start=2, end=9)], "outside"),
        ([Span(start=-1, end=2)], "outside"),
        ([Span(start=3, end=2)], "outside"),
        ([Span(start=0, end=0, length_hint=0)], "at least one"),
        ([Span(start=0, end=0, lengths=(4, 2))], "at most"),
        ([Span(start=0, end=0)] * 300, "256"),
    ],
)
def test_spans_that_cannot_be_filled_are_refused(spans: list[Span], words: str) -> None:
    with pytest.raises(EngineFault) as fault:
        check_spans("words", spans)
    assert words in fault.value.error.message


@pytest.mark.parametrize(
    "edited",
    ["One big cat sat.", "one big cat sat", "one big  cat sat.", "one bug cat sat.", "one big", ""],
)
def test_the_proof_sees_every_change_outside(edited: str) -> None:
    text, spans = "one old cat sat.", [Span(start=4, end=7)]
    prove_outside(text, spans, ["big"], "one big cat sat.")
    with pytest.raises(EngineFault, match="outside"):
        prove_outside(text, spans, ["big"], edited)


def test_the_proof_needs_a_text_for_every_span() -> None:
    with pytest.raises(EngineFault):
        prove_outside("ab", [Span(start=0, end=1)], ["x", "y"], "xb")
