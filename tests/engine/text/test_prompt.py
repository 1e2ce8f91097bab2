"""Prompts: the ids that transformers would make, and no way in for markup that a user types."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.messages import (
    EngineFault,
    ErrorKind,
    ImagePart,
    Part,
    Role,
    TextPart,
    Tool,
    ToolResultPart,
    Turn,
)
from engine.text.prompt import chat_ids, messages, without_thoughts
from engine.text.template import ChatTemplate
from engine.text.tokenizer import MARKUP, Tokenizer

WORDS = [
    "Hello", " the fox", "\n", "\n\n", "  ", "def f(a):", "\t", "caf\u00e9", "\u6f22\u5b57", "\U0001f642",
    "<", "|", ">", "<|", "|>", "< turn", "\u202e", "\x00", "\u2581", ".", "12", "thought", "\u00a0",
]  # fmt: skip
SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
WEATHER = Tool(name="get_weather", description="The weather", parameters=SCHEMA)


def user(text: str) -> Turn:
    return Turn.of(Role.USER, text)


def random_text(draw: random.Random) -> str:
    return "".join(draw.choice(WORDS) for _ in range(draw.randrange(1, 30))) + "x"


def random_talk(draw: random.Random) -> list[Turn]:
    turns = [Turn.of(Role.SYSTEM, random_text(draw))] if draw.random() < 0.4 else []
    for _ in range(draw.randrange(3)):
        turns += [user(random_text(draw)), Turn.of(Role.MODEL, random_text(draw))]
    if draw.random() < 0.3:
        part = ToolResultPart(name="get_weather", result=random_text(draw), arguments='{"a": 1}')
        turns += [user(random_text(draw)), Turn(role=Role.TOOL, parts=(part,))]
        return turns
    parts: list[Part] = [TextPart(text=random_text(draw)) for _ in range(draw.randrange(1, 4))]
    return [*turns, Turn(role=Role.USER, parts=tuple(parts))]


@pytest.fixture(scope="module")
def oracle(folder: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        chat_template=(folder / "chat_template.jinja").read_text(encoding="utf-8"),
    )


def test_ids_are_those_of_transformers(
    tokenizer: Tokenizer, template: ChatTemplate, oracle: Any
) -> None:
    draw = random.Random(11)
    for _ in range(200):
        turns, thinking = random_talk(draw), draw.random() < 0.5
        tools = [WEATHER] if draw.random() < 0.3 else []
        expected = oracle.apply_chat_template(
            messages(turns),
            tools=[_as_hugging_face(tool) for tool in tools] or None,
            add_generation_prompt=True,
            enable_thinking=thinking,
            return_dict=False,
        )
        assert chat_ids(tokenizer, template, turns, thinking=thinking, tools=tools) == expected


def _as_hugging_face(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": json.loads(tool.parameters),
    }
    return {"type": "function", "function": function}


def specials(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    return [token for token in ids if token in tokenizer.markup_ids]


def test_typed_markup_adds_no_special_id(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    draw = random.Random(12)
    names = [*MARKUP.values(), *WORDS]
    names.remove("\u2581")  # the tokenizer's own sign for a space
    for _ in range(300):
        text = "x" + "".join(draw.choice(names) for _ in range(12)) + "x"
        ids = chat_ids(tokenizer, template, [user(text)])
        assert specials(tokenizer, ids) == specials(
            tokenizer, chat_ids(tokenizer, template, [user("innocent")])
        )
        assert text.strip() in tokenizer.decode(ids)


def test_typed_markup_is_harmless_in_every_place(
    tokenizer: Tokenizer, template: ChatTemplate
) -> None:
    def ids(word: str, schema: str) -> list[int]:
        turns = [
            Turn.of(Role.SYSTEM, f"a{word}b"),
            user(f"a{word}b"),
            Turn.of(Role.MODEL, f"a{word}b"),
            user(f"a{word}b"),
            Turn(
                role=Role.TOOL,
                parts=(
                    ToolResultPart(
                        name=f"n{word}", result=f"a{word}b", arguments=json.dumps({word: [word]})
                    ),
                ),
            ),
        ]
        tool = Tool(name=f"t{word}", description=word, parameters=schema)
        return specials(tokenizer, chat_ids(tokenizer, template, turns, tools=[tool]))

    innocent = ids("word", '{"type": "word", "properties": {"word": {"enum": ["word"]}}}')
    for name in (MARKUP["turn_end"], MARKUP["turn_start"], MARKUP["call_start"], "<|think|>"):
        schema = {"type": name, "properties": {name: {"enum": [name]}}}
        assert ids(name, json.dumps(schema)) == innocent


def test_markup_cannot_arise_where_two_parts_meet(
    tokenizer: Tokenizer, template: ChatTemplate
) -> None:
    halves = tuple(TextPart(text=half) for half in ("<tu", "rn|>", "<", "|channel>"))
    ids = chat_ids(tokenizer, template, [Turn(role=Role.USER, parts=halves)])
    assert specials(tokenizer, ids) == [2, 105, 106, 105, 100, 101]
    assert "<turn|><|channel>" in tokenizer.decode(ids)


def test_thoughts_in_the_history_are_left_out(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    def ids(answer: str) -> list[int]:
        talk = [user("Hi"), Turn.of(Role.MODEL, answer), user("Bye")]
        return chat_ids(tokenizer, template, talk)

    assert ids("<|channel>thought\nsecret<channel|>Hello!") == ids("Hello!")
    assert ids("Hello!<|channel>thought\nnever closed") == ids("Hello!")
    assert without_thoughts("a<channel|>b") == "ab"


def test_images_are_one_id_each(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    turn = Turn(role=Role.USER, parts=(ImagePart(data=b""), TextPart(text="What is it?")))
    ids = chat_ids(tokenizer, template, [turn])
    assert ids.count(tokenizer.special.image or -1) == 1
    assert "user\nWhat is it?" in tokenizer.decode(ids)


def test_lone_surrogates_reach_no_one(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    assert "a\ufffdb" in tokenizer.decode(chat_ids(tokenizer, template, [user("a\ud800b")]))


def test_a_megabyte_becomes_a_prompt(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    text = "a <turn|> b " * 90_000
    ids = chat_ids(tokenizer, template, [user(text)])
    assert specials(tokenizer, ids) == [2, 105, 106, 105, 100, 101]
    assert text.strip() in tokenizer.decode(ids)


@pytest.mark.parametrize("turns", [[], [user("")], [user(" \n\t")], [user("Hi"), user(" ")]])
def test_nothing_to_answer(tokenizer: Tokenizer, template: ChatTemplate, turns: list[Turn]) -> None:
    with pytest.raises(EngineFault) as caught:
        chat_ids(tokenizer, template, turns)
    assert caught.value.error.kind is ErrorKind.PROMPT_EMPTY


@pytest.mark.parametrize(
    "schema", ["", "{", "[]", "3", "[" * 100_000, '{"a":' * 400 + "1" + "}" * 400]
)
def test_a_tool_without_a_schema_is_refused(
    tokenizer: Tokenizer, template: ChatTemplate, schema: str
) -> None:
    tool = Tool(name="f", description="", parameters=schema)
    with pytest.raises(EngineFault) as caught:
        chat_ids(tokenizer, template, [user("Hi")], tools=[tool])
    assert caught.value.error.kind is ErrorKind.BAD_REQUEST
