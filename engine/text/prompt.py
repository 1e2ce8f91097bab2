"""Turns of a conversation become prompt ids.

The template decides the markup; the words of users, models and tools are guarded on the way through
it, so that markup inside them stays ordinary text while everything else gets exactly the ids that
tokenizing the rendered text would give.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from engine.messages import (
    EngineFault,
    ErrorKind,
    ImagePart,
    Role,
    TextPart,
    Tool,
    ToolResultPart,
    Turn,
)
from engine.text.template import ChatTemplate
from engine.text.tokenizer import GUARD, MARKUP, Tokenizer, clean

ROLES = {Role.SYSTEM: "system", Role.USER: "user", Role.MODEL: "assistant", Role.TOOL: "tool"}
MAX_DEPTH = 30  # of a tool's schema or arguments

Guard = Callable[[str], str]


def chat_ids(
    tokenizer: Tokenizer,
    template: ChatTemplate,
    turns: Sequence[Turn],
    *,
    thinking: bool = False,
    tools: Sequence[Tool] = (),
) -> list[int]:
    """The prompt for the model's next turn, <bos> first. An image is one `<|image|>` id.

    Raises `EngineFault`: nothing to answer, a tool whose schema is no JSON object, an image for a
    model without eyes, a template that fails.
    """
    _check(tokenizer, turns)
    guard = _guard(tokenizer)
    rendered = template.render(
        messages(turns, guard),
        tools=[_declaration(tool, guard) for tool in tools],
        thinking=thinking,
    )
    return _ids(tokenizer, rendered)


def messages(turns: Sequence[Turn], guard: Guard = str) -> list[dict[str, Any]]:
    """Turns in the form of Hugging Face's chat templates, every foreign string through `guard`."""
    result: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role is Role.TOOL:
            result += _tool_messages(turn, guard)
        else:
            result.append({"role": ROLES[turn.role], "content": _content(turn, guard)})
    return result


def without_thoughts(text: str) -> str:
    """Model text without what it wrote on the thought channel, should any be left in it."""
    start, end = MARKUP["channel_start"], MARKUP["channel_end"]
    return "".join(part.split(start)[0] for part in text.split(end))


def _content(turn: Turn, guard: Guard) -> str | list[dict[str, str]]:
    parts: list[dict[str, str]] = []
    for part in turn.parts:
        match part:
            case TextPart(text=text):
                kept = without_thoughts(text) if turn.role is Role.MODEL else text
                parts.append({"type": "text", "text": guard(kept)})
            case ImagePart():
                parts.append({"type": "image"})
            case ToolResultPart():
                raise _refused("A tool result belongs into a turn of its own.")
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return parts


def _tool_messages(turn: Turn, guard: Guard) -> list[dict[str, Any]]:
    """The model's calls, then their results: the call stands in the part that answers it."""
    results = [part for part in turn.parts if isinstance(part, ToolResultPart)]
    calls = [
        {"name": guard(part.name), "arguments": _object(part.arguments, guard)} for part in results
    ]
    return [
        {"role": "assistant", "content": "", "tool_calls": [{"function": call} for call in calls]},
        *(
            {"role": "tool", "name": guard(part.name), "content": guard(part.result)}
            for part in results
        ),
    ]


def _declaration(tool: Tool, guard: Guard) -> dict[str, Any]:
    function = {
        "name": guard(tool.name),
        "description": guard(tool.description),
        "parameters": _object(tool.parameters, guard),
    }
    return {"type": "function", "function": function}


def _object(text: str, guard: Guard) -> dict[str, Any]:
    try:
        value = _guarded(json.loads(text), guard)
    except (ValueError, RecursionError) as error:
        raise _refused("The description of a tool is not valid JSON.", str(error)) from error
    if not isinstance(value, dict):
        raise _refused("The description of a tool is not a JSON object.")
    return value


def _guarded(value: Any, guard: Guard, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    match value:
        case str():
            return guard(value)
        case list():
            return [_guarded(item, guard, depth + 1) for item in value]
        case dict():
            return {guard(key): _guarded(item, guard, depth + 1) for key, item in value.items()}
    return value


def _guard(tokenizer: Tokenizer) -> Guard:
    """Puts `GUARD` behind every character that begins a special token.

    So none can arise, not even where two texts meet; the template may still trim, cut and join.
    """
    begins = re.compile(_begins(tokenizer))
    return lambda text: begins.sub(lambda found: found[0] + GUARD, clean(text))


def _ids(tokenizer: Tokenizer, rendered: str) -> list[int]:
    """Special tokens of the markup as their ids; each stretch between as one ordinary text."""
    longest_first = sorted(tokenizer.markup, key=len, reverse=True)
    names = "|".join(map(re.escape, longest_first))
    # The two looks ahead are for speed alone: most positions fail at the first.
    pattern = re.compile(f"(?={_begins(tokenizer)})(?!.{GUARD})({names})", re.DOTALL)
    ids: list[int] = []
    for index, stretch in enumerate(pattern.split(rendered)):
        if index % 2:
            ids.append(tokenizer.markup[stretch])
        else:
            ids += tokenizer.encode(stretch.replace(GUARD, ""))
    return ids


def _begins(tokenizer: Tokenizer) -> str:
    return "[" + re.escape("".join(sorted({text[0] for text in tokenizer.markup}))) + "]"


def _check(tokenizer: Tokenizer, turns: Sequence[Turn]) -> None:
    if not turns or not _says_something(turns[-1]):
        raise EngineFault(
            ErrorKind.PROMPT_EMPTY, "There is nothing to answer yet.", "Write something first."
        )
    has_image = any(isinstance(part, ImagePart) for turn in turns for part in turn.parts)
    if has_image and tokenizer.special.image is None:
        raise _refused("This model cannot see images.")


def _says_something(turn: Turn) -> bool:
    return any(not isinstance(part, TextPart) or part.text.strip() for part in turn.parts)


def _refused(message: str, detail: str = "") -> EngineFault:
    return EngineFault(
        ErrorKind.BAD_REQUEST, message, "Change the message and send it again.", detail
    )
