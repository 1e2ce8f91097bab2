from __future__ import annotations

import time
from pathlib import Path

import pytest
import tokenizers

from engine.messages import EngineFault, ErrorKind
from engine.text.tokenizer import GUARD, MARKUP, Tokenizer, clean
from tests.engine.text import gemma_like

AWKWARD = [
    "Hello  there\n\n\nfriend\t!",
    "caf\u00e9 \u6f22\u5b57 \U0001f642 \U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \u200b\ufeff",
    "\x00\x01\x1b[31m\x7f",
    " leading and trailing ",
    "<0x41> is not a byte",
]


def test_special_ids_are_those_of_the_file(tokenizer: Tokenizer) -> None:
    special = tokenizer.special
    assert (special.pad, special.eos, special.bos) == (0, 1, 2)
    assert (special.turn_start, special.turn_end) == (105, 106)
    assert (special.channel_start, special.channel_end, special.think) == (100, 101, 98)
    assert (special.call_start, special.response_start, special.quote) == (48, 50, 52)
    assert special.image is not None


@pytest.mark.parametrize("text", AWKWARD)
def test_ordinary_text_survives(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", [*AWKWARD, "the dog " * 500, " " * 3000, "\u6f22\ud83d\ude42" * 9])
def test_no_text_has_fewer_tokens_than_its_length_allows(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.fewest(len(text)) <= len(tokenizer.encode(text))


def test_a_text_of_the_longest_pieces_has_the_fewest_tokens(tokenizer: Tokenizer) -> None:
    texts = [tokenizer.decode([token]) for token in range(tokenizer.vocab_size)]
    text = max(texts, key=len) * 100
    assert tokenizer.fewest(len(text)) == 100


def test_empty_text_has_no_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_typed_markup_stays_text(tokenizer: Tokenizer) -> None:
    for markup in MARKUP.values():
        ids = tokenizer.encode(f"say {markup} twice {markup}{markup}")
        assert not tokenizer.markup_ids & set(ids)
        assert tokenizer.decode(ids) == f"say {markup} twice {markup}{markup}"


def test_markup_listed_as_an_ordinary_token_stays_text_too(tmp_path: Path) -> None:
    made = gemma_like.build(tmp_path, ordinary="<|tool_response>")
    tokenizer = Tokenizer.load(made)
    assert 50 in tokenizer.markup_ids
    assert 50 not in tokenizer.encode("a <|tool_response> b")


def test_newline_tokens_are_used_in_ordinary_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("\n") == [107]
    assert tokenizer.encode("\n\n") == [108]


def test_surrogates_are_made_valid() -> None:
    assert clean("a\ud800b") == "a\ufffdb"
    assert clean("\ud83d\ude42") == "\U0001f642"
    assert clean(f"a{GUARD}b") == "a\ufffdb"
    assert clean("a\x00\u202e\u200b") == "a\x00\u202e\u200b"


def test_lone_surrogates_encode_as_the_replacement_character(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a\ufffdb"


def test_a_megabyte_is_encoded_in_seconds(tokenizer: Tokenizer) -> None:
    for text in ("hello world " * 90_000, "<" * 1_000_000):
        start = time.perf_counter()
        ids = tokenizer.encode(text)
        assert time.perf_counter() - start < 20  # 0.5 s on a quiet machine
        assert tokenizer.decode(ids) == text


def test_markup_is_spelled_out_on_request(tokenizer: Tokenizer) -> None:
    special = tokenizer.special
    ids = [special.call_start, *tokenizer.encode("hi \U0001f642"), special.quote]
    assert tokenizer.decode_with_markup(ids) == '<|tool_call>hi \U0001f642<|"|>'


def test_a_missing_special_token_is_named(tmp_path: Path) -> None:
    made = gemma_like.build(tmp_path, drop="<|channel>")
    with pytest.raises(EngineFault) as caught:
        Tokenizer.load(made)
    assert caught.value.error.kind is ErrorKind.MODEL_BROKEN
    assert "<|channel>" in caught.value.error.message


def test_a_text_only_tokenizer_needs_no_image_ids(tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(gemma_like.build(tmp_path, images=False))
    assert tokenizer.special.image is None


@pytest.mark.parametrize("content", [None, "", "{", "[]", "\x00" * 100])
def test_a_bad_file_is_a_fault(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(EngineFault) as caught:
        Tokenizer.load(tmp_path)
    assert caught.value.error.kind is ErrorKind.MODEL_BROKEN


def test_a_tokenizer_of_another_structure_is_refused(folder: Path, tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend.decoder = tokenizers.decoders.Metaspace()
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(EngineFault) as caught:
        Tokenizer.load(tmp_path)
    assert caught.value.error.kind is ErrorKind.MODEL_UNSUPPORTED
