"""What the corpus promises: seeded, agreeing with itself, and held-out material that is new."""

from __future__ import annotations

from itertools import islice
from random import Random

import corpus
import heldout
import pytest
import vocabulary
import world
from batches import collate, group
from examples import GAP_PROMPT, Encoder, prompt_text
from rewriting import ASKED, rewrite
from wording import Split

from engine.load import DEMO, model_folder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(vocabulary.load(model_folder(DEMO)))


@pytest.fixture(scope="module")
def seen() -> set[tuple[str, ...]]:
    return heldout.training_runs(1, 8_000)


@pytest.mark.parametrize("split", ["train", "held"])
def test_same_seed_same_texts(split: Split) -> None:
    first, second = Random(3), Random(3)
    for _ in range(50):
        assert corpus.document(first, split) == corpus.document(second, split)
        assert corpus.conversation(first, split) == corpus.conversation(second, split)


def test_held_out_gaps_are_new(seen: set[tuple[str, ...]]) -> None:
    items = list(islice(heldout.gap_items(Random(4), seen), 150))
    fresh = heldout.training_runs(2, 4_000)  # other training texts than those it was filtered by
    shared = [document.text for document, _ in items if heldout.runs(document.text) & fresh]
    assert not shared
    without_shared_words = [
        document for document, gap in items if not heldout.shares_content(document, gap)
    ]
    assert len(without_shared_words) >= len(items) / 3


def test_held_out_combinations_never_train() -> None:
    rng = Random(5)
    trained = {corpus.document(rng, "train").text for _ in range(6_000)}
    held = {corpus.document(rng, "held").text for _ in range(300)}
    assert not trained & held


def test_marked_parts_lie_in_the_text(encoder: Encoder) -> None:
    rng = Random(6)
    for _ in range(300):
        document = corpus.document(rng, "train")
        example = encoder.document(document)
        for (start, end), (first, last) in zip(document.gaps, example.marks, strict=True):
            part = encoder.tokenizer.decode(list(example.canvas[first:last]))
            assert document.text[start:end] in part


def test_text_survives_the_tokenizer(encoder: Encoder) -> None:
    for text in ("Ada went home.\n\n  def f(x):\n\treturn x", "Grüße, 漢字 🙂 [[...]]", "  two  "):
        assert encoder.tokenizer.decode(encoder.ids(text)) == text


def test_markup_is_that_of_the_real_model(encoder: Encoder) -> None:
    ids = encoder.ids(prompt_text((("user", "Hi"),), thinking=False))
    assert ids[:2] == [2, 105]
    assert ids[3] == 107
    assert ids[-4:] == [100, encoder.ids("thought")[0], 107, 101]
    assert encoder.ids("\n\n") == [108]
    assert GAP_PROMPT.startswith("<bos><|turn>user\nFill in the gap.<turn|>\n<|turn>model\n")


@pytest.mark.parametrize("rule", list(ASKED))
def test_rewrites_change_the_text_but_not_its_names(rule: str) -> None:
    rng = Random(7)
    found = [
        change for change in (rewrite(rng, "train") for _ in range(400)) if change.rule == rule
    ]
    assert len(found) > 20
    for change in found:
        assert change.before
        assert change.after
        if rule in ("past", "formal"):
            names = set(world.NAMES)
            before = {word.strip(".,!?'s") for word in change.before.split()} & names
            after = {word.strip(".,!?'s") for word in change.after.split()} & names
            assert after <= before | {"Will", "May"}


def test_batches_hide_only_what_they_ask_for(encoder: Encoder) -> None:
    rng = Random(8)
    examples = corpus.examples(
        rng, encoder, 200, corpus.Mixture(copies=0.2, echoes=0.2, chat=0.2, rewriting=0.2)
    )
    for members in group(rng, examples, 1024, 16):
        batch = collate(rng, members, vocabulary.VOCAB_SIZE, 1024, focus=0.8)
        changed = batch.noisy != batch.clean
        assert not (changed & batch.pinned).any()
        assert (batch.weight > 0).any()
        assert batch.clean.shape[1] <= 128
