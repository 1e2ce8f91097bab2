"""The demo model's chat template against the strings of the real model's, and the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.messages import EngineFault, ErrorKind
from engine.text.template import ChatTemplate

HI = {"role": "user", "content": " Hi\n"}
PROMPT = "<|turn>model\n<|channel>thought\n<channel|>"
CALL: dict[str, Any] = {
    "role": "assistant",
    "reasoning": "need tool",
    "tool_calls": [
        {
            "id": "7",
            "function": {
                "name": "get_weather",
                "arguments": {"deep": {"b": [1, "x"], "a": True}, "days": 3, "city": "Oslo"},
            },
        }
    ],
}
CALLED = (
    '<|tool_call>call:get_weather{city:<|"|>Oslo<|"|>,days:3,deep:{a:true,b:[1,<|"|>x<|"|>]}}'
    "<tool_call|>"
)
THOUGHT = "<|channel>thought\nneed tool\n<channel|>"
SCHEMA = {
    "type": "object",
    "required": ["city"],
    "properties": {
        "unit": {"type": "string", "enum": ["c", "f"]},
        "city": {"type": "string", "description": "City"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "days": {"type": "integer"},
    },
}
DECLARED = (
    '<|tool>declaration:get_weather{description:<|"|>Weather<|"|>,parameters:{properties:{'
    'city:{description:<|"|>City<|"|>,type:<|"|>STRING<|"|>},days:{type:<|"|>INTEGER<|"|>},'
    'tags:{items:{type:<|"|>STRING<|"|>},type:<|"|>ARRAY<|"|>},'
    'unit:{enum:[<|"|>c<|"|>,<|"|>f<|"|>],type:<|"|>STRING<|"|>}},'
    'required:[<|"|>city<|"|>],type:<|"|>OBJECT<|"|>}}<tool|>'
)


def tool(name: str = "get_weather", parameters: Any = SCHEMA) -> dict[str, Any]:
    function = {"name": name, "description": "Weather", "parameters": parameters}
    return {"type": "function", "function": function}


def test_thinking_off(template: ChatTemplate) -> None:
    assert template.render([HI]) == f"<bos><|turn>user\nHi<turn|>\n{PROMPT}"


def test_thinking_on(template: ChatTemplate) -> None:
    assert template.render([HI], thinking=True) == (
        "<bos><|turn>system\n<|think|>\n<turn|>\n<|turn>user\nHi<turn|>\n<|turn>model\n"
    )


@pytest.mark.parametrize("role", ["system", "developer"])
def test_system_text(template: ChatTemplate, role: str) -> None:
    system = {"role": role, "content": " Be brief. "}
    assert template.render([system, HI], thinking=True) == (
        "<bos><|turn>system\n<|think|>\nBe brief.<turn|>\n<|turn>user\nHi<turn|>\n<|turn>model\n"
    )
    assert template.render([system, HI]) == (
        f"<bos><|turn>system\nBe brief.<turn|>\n<|turn>user\nHi<turn|>\n{PROMPT}"
    )


def test_each_part_of_a_system_text_is_followed_by_a_space(template: ChatTemplate) -> None:
    parts = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert template.render([{"role": "system", "content": parts}, HI]).startswith(
        "<bos><|turn>system\nOne. Two. <turn|>\n"
    )


@pytest.mark.parametrize(
    "answer",
    [
        "Hello!",
        " Hello!\n",
        "<|channel>thought\nA greeting.\n<channel|>Hello!",
        "He<|channel>thought\nx<channel|>llo!<|channel>thought\nnever closed",
    ],
)
def test_history_without_its_thoughts(template: ChatTemplate, answer: str) -> None:
    history = [HI, {"role": "assistant", "content": answer}, {"role": "user", "content": "Bye"}]
    assert template.render(history) == (
        "<bos><|turn>user\nHi<turn|>\n<|turn>model\nHello!<turn|>\n"
        f"<|turn>user\nBye<turn|>\n{PROMPT}"
    )


def test_without_a_generation_prompt(template: ChatTemplate) -> None:
    rendered = template.render([HI], add_generation_prompt=False)
    assert rendered == "<bos><|turn>user\nHi<turn|>\n"


def test_an_image_stands_where_it_was_put(template: ChatTemplate) -> None:
    parts = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    assert template.render([{"role": "user", "content": parts}]) == (
        f"<bos><|turn>user\n<|image|>What is it?<turn|>\n{PROMPT}"
    )


def test_tools_are_declared_behind_the_system_text(template: ChatTemplate) -> None:
    system = {"role": "system", "content": "Be brief."}
    second = '<|tool>declaration:now{description:<|"|>Weather<|"|>}<tool|>'
    rendered = template.render([system, HI], tools=[tool(), tool("now", None)])
    assert rendered == (
        f"<bos><|turn>system\nBe brief.{DECLARED}{second}<turn|>\n<|turn>user\nHi<turn|>\n{PROMPT}"
    )
    assert template.render([HI], tools=[tool()]).startswith(f"<bos><|turn>system\n{DECLARED}")


def test_a_pending_call_waits_for_its_result(template: ChatTemplate) -> None:
    assert template.render([HI, CALL]) == (
        f"<bos><|turn>user\nHi<turn|>\n<|turn>model\n{THOUGHT}{CALLED}<|tool_response>"
    )


@pytest.mark.parametrize(
    ("content", "inside"),
    [
        ("sunny", 'value:<|"|>sunny<|"|>'),
        ('{"a": 1}', 'value:<|"|>{"a": 1}<|"|>'),
        ({"sky": "blue", "high": 20}, 'high:20,sky:<|"|>blue<|"|>'),
    ],
)
def test_the_model_continues_behind_a_result(
    template: ChatTemplate, content: object, inside: str
) -> None:
    result = {"role": "tool", "tool_call_id": "7", "content": content}
    assert template.render([HI, CALL, result]) == (
        f"<bos><|turn>user\nHi<turn|>\n<|turn>model\n{THOUGHT}{CALLED}"
        f"<|tool_response>response:get_weather{{{inside}}}<tool_response|>"
    )


def test_an_old_call_keeps_its_turn_and_loses_its_thought(template: ChatTemplate) -> None:
    talk = [
        HI,
        CALL,
        {"role": "tool", "name": "get_weather", "content": "sunny"},
        {"role": "assistant", "content": "It is sunny."},
        {"role": "user", "content": "Thanks"},
    ]
    assert template.render(talk) == (
        f"<bos><|turn>user\nHi<turn|>\n<|turn>model\n{CALLED}"
        '<|tool_response>response:get_weather{value:<|"|>sunny<|"|>}<tool_response|>'
        f"It is sunny.<turn|>\n<|turn>user\nThanks<turn|>\n{PROMPT}"
    )


def test_a_call_with_raw_arguments_is_inserted_as_it_is(template: ChatTemplate) -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "a:1"}}]}
    assert "<|tool_call>call:f{a:1}<tool_call|>" in template.render([HI, call])


def test_an_unknown_part_is_a_fault(template: ChatTemplate) -> None:
    with pytest.raises(EngineFault) as caught:
        template.render([{"role": "user", "content": [{"type": "video"}]}])
    assert "video" in caught.value.error.detail


def test_the_template_may_stand_in_the_tokenizer_config(tmp_path: Path) -> None:
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": "{{ bos_token }}one"}))
    assert ChatTemplate.load(tmp_path).render([HI]) == "<bos>one"
    named = [{"name": "rag", "template": "no"}, {"name": "default", "template": "two"}]
    config.write_text(json.dumps({"chat_template": named}))
    assert ChatTemplate.load(tmp_path).render([HI]) == "two"
    (tmp_path / "chat_template.jinja").write_text("three")
    assert ChatTemplate.load(tmp_path).render([HI]) == "three"


@pytest.mark.parametrize("content", [None, "{", "{}", '{"chat_template": 3}'])
def test_a_folder_without_a_template_is_a_fault(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(EngineFault) as caught:
        ChatTemplate.load(tmp_path)
    assert caught.value.error.kind is ErrorKind.MODEL_BROKEN


def test_the_helpers_of_hugging_face_are_there() -> None:
    source = "{{ messages | tojson }}{{ strftime_now('%Y') | length }}{% break %}"
    source = "{% for _ in [1, 2] %}" + source + "{% endfor %}"
    rendered = ChatTemplate(source).render([{"role": "user", "content": "<\u00e9>"}])
    assert rendered == '[{"role": "user", "content": "<\u00e9>"}]4'


@pytest.mark.parametrize(
    "source",
    [
        "{% for",
        "{{ raise_exception('no') }}",
        "{{ messages.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ 'x' * 2000000000 }}",
        "{{ [1] * 2000000000 }}",
        "{% for i in range(10 * 1000 * 1000) %}x{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 1 // 0 }}",
        "{{ messages[7].content.x }}",
        "{{ 1 + 'x' }}",
        "{% include 'secret' %}",
    ],
)
def test_a_broken_or_hostile_template_is_a_fault(source: str) -> None:
    with pytest.raises(EngineFault) as caught:
        ChatTemplate(source).render([HI])
    assert caught.value.error.kind is ErrorKind.MODEL_BROKEN


def test_output_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.text.template.MAX_OUTPUT", 1000)
    endless = "{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}"
    with pytest.raises(EngineFault):
        ChatTemplate(endless).render([HI])
