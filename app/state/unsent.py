"""What is typed and not sent yet."""

from __future__ import annotations

from dataclasses import dataclass

from app.state.text import is_blank


@dataclass(frozen=True, kw_only=True)
class Unsent:
    """What is in the field, and a paste too large for it."""

    typed: str = ""
    pasted: str = ""

    @property
    def text(self) -> str:
        return "\n\n".join(part for part in (self.typed, self.pasted) if not is_blank(part))
