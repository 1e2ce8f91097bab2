from __future__ import annotations

import random
import time
from pathlib import Path

import tokenizers

from engine.text.tokenizer import Tokenizer


def byte_ids(tokenizer: Tokenizer, folder: Path, data: bytes) -> list[int]:
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [backend.token_to_id(f"<0x{value:02X}>") for value in data]


def test_a_character_appears_at_its_last_byte(tokenizer: Tokenizer, folder: Path) -> None:
    ids = byte_ids(tokenizer, folder, "\u00e9\U0001f642".encode())
    assert tokenizer.pieces(ids) == ("", "\u00e9", "", "", "", "\U0001f642")


def test_bytes_that_are_no_character_become_one_mark(tokenizer: Tokenizer, folder: Path) -> None:
    a, b = tokenizer.encode("a")[0], tokenizer.encode("b")[0]
    cut = byte_ids(tokenizer, folder, b"\xe2\x82")
    assert tokenizer.pieces([a, *cut, b]) == ("a", "", "\ufffd", "b")
    assert tokenizer.pieces([a, *cut]) == ("a", "", "\ufffd")
    stray = byte_ids(tokenizer, folder, b"\x80")
    assert tokenizer.pieces([*stray, a, *stray, *stray]) == ("\ufffd", "a", "\ufffd", "\ufffd")


def test_a_good_character_survives_beside_a_bad_byte(tokenizer: Tokenizer, folder: Path) -> None:
    ids = byte_ids(tokenizer, folder, b"\xff" + "\u6f22".encode())
    assert tokenizer.decode(ids) == "\ufffd\u6f22"


def test_pieces_joined_are_the_library_s_decode(tokenizer: Tokenizer, folder: Path) -> None:
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    draw = random.Random(5)
    byte_set = set(byte_ids(tokenizer, folder, bytes(range(128, 256))))
    for _ in range(200):
        ids = [draw.randrange(tokenizer.vocab_size) for _ in range(64)]
        ids = [token for token in ids if token not in byte_set]  # there the library differs
        pieces = tokenizer.pieces(ids)
        assert len(pieces) == len(ids)
        assert "".join(pieces) == backend.decode(ids, skip_special_tokens=True)


def test_any_ids_at_all_give_valid_text(tokenizer: Tokenizer) -> None:
    draw = random.Random(6)
    for _ in range(200):
        ids = [draw.randrange(tokenizer.vocab_size + 50) for _ in range(64)]
        "".join(tokenizer.pieces(ids)).encode("utf-8")


def test_special_and_unknown_ids_are_empty(tokenizer: Tokenizer) -> None:
    special = tokenizer.special
    ids = [special.bos, special.turn_end, special.channel_start, tokenizer.vocab_size + 7]
    assert tokenizer.pieces(ids) == ("", "", "", "")


def test_spaces_are_kept_at_the_start(tokenizer: Tokenizer) -> None:
    assert "".join(tokenizer.pieces(tokenizer.encode(" the fox"))) == " the fox"


def test_a_canvas_takes_under_a_millisecond(tokenizer: Tokenizer) -> None:
    draw = random.Random(7)
    ids = [draw.randrange(tokenizer.vocab_size) for _ in range(256)]
    tokenizer.pieces(ids)
    best = min(_seconds(tokenizer, ids) for _ in range(20))
    assert best < 1e-3


def _seconds(tokenizer: Tokenizer, ids: list[int]) -> float:
    start = time.perf_counter()
    tokenizer.pieces(ids)
    return time.perf_counter() - start
