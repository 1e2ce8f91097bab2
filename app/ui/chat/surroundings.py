"""What every part of the talk needs from around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.settings import SettingsStore, Still
from app.state.markdown.worker import Preparer
from app.ui.rich.slices import Slices
from app.ui.theme import Theme


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What a user can do with a message; the first argument is its id."""

    regenerate: Callable[[str], object]
    edit: Callable[[str, str], bool]  # the new text; False: not now
    take_back: Callable[[str], object]  # a question, into the field where one types
    show_variant: Callable[[str], object]
    go_on: Callable[[], object]
    replay: Callable[[str], object]
    open_link: Callable[[str], object]  # an address
    open_text: Callable[[str, str], object]  # in the editor: a text and its language


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    theme: Theme
    settings: SettingsStore
    preparer: Preparer
    slices: Slices
    actions: Actions

    @property
    def is_still(self) -> bool:
        """Whether text should come into focus without moving."""
        match self.settings.value.still:
            case Still.ON:
                return True
            case Still.OFF:
                return False
            case Still.SYSTEM:
                return self.theme.prefers_still
