"""The checkpoint's chat template, run in a sandbox with limits.

Renders messages in the form Hugging Face templates expect. Knows nothing about turns or ids: see
`prompt.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.messages import EngineFault, ErrorKind

MAX_OUTPUT = 64_000_000  # characters; the longest context is far below
MAX_SECONDS = 20.0
MAX_REPEAT = 1_000_000  # result of a repetition such as "x" * n

# The names under which Hugging Face hands the special tokens to a template.
TOKEN_NAMES = {
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
}

Message = Mapping[str, Any]


class Sandbox(ImmutableSandboxedEnvironment):
    """Refuses what would grow without bound; jinja2 itself limits `range`."""

    intercepted_binops = frozenset(("*", "**"))

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        if operator == "**":
            raise SecurityError("powers are not allowed in a chat template")
        for item, times in ((left, right), (right, left)):
            if isinstance(item, str | list | tuple) and len(item) * times > MAX_REPEAT:
                raise SecurityError(f"a repetition of {times} is too long")
        return super().call_binop(context, operator, left, right)


class ChatTemplate:
    def __init__(self, source: str) -> None:
        """Raises `EngineFault` if `source` is no valid template."""
        sandbox = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        sandbox.filters["tojson"] = _to_json
        sandbox.globals["raise_exception"] = _raise
        sandbox.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            self._template = sandbox.from_string(source)
        except jinja2.TemplateError as error:
            raise _broken(str(error)) from error

    @staticmethod
    def load(folder: Path) -> ChatTemplate:
        """Read `chat_template.jinja`, else `chat_template` in tokenizer_config.json."""
        try:
            source = _read(folder)
        except (OSError, ValueError) as error:
            raise _broken(str(error)) from error
        if source is None:
            raise _broken(f"no chat template in {folder.name}")
        return ChatTemplate(source)

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Message] = (),
        thinking: bool = False,
        add_generation_prompt: bool = True,
    ) -> str:
        """The conversation as text with markup. Raises `EngineFault` with the template's words."""
        parts = self._template.generate(
            **TOKEN_NAMES,
            messages=list(messages),
            tools=list(tools) or None,
            documents=None,
            enable_thinking=thinking,
            add_generation_prompt=add_generation_prompt,
        )
        deadline = time.monotonic() + MAX_SECONDS
        rendered: list[str] = []
        size = 0
        try:
            for part in parts:
                rendered.append(part)
                size += len(part)
                if size > MAX_OUTPUT or time.monotonic() > deadline:
                    raise SecurityError("the chat template does not come to an end")
        except Exception as error:  # foreign code: whatever fails in it is its fault
            raise _broken(str(error)) from error
        return "".join(rendered)


def _read(folder: Path) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    if not config.is_file():
        return None
    found = json.loads(config.read_text(encoding="utf-8")).get("chat_template")
    if isinstance(found, list):  # several by name
        found = {entry["name"]: entry["template"] for entry in found}.get("default")
    return found if isinstance(found, str) else None


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As Hugging Face's filter: plain JSON, without jinja2's escaping for HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _broken(detail: str) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_BROKEN,
        "The model's chat template does not work for this conversation.",
        "Download the model again, or choose another.",
        detail,
    )
