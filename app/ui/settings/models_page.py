"""Where models are kept, what is loaded at the start, and how much it has in view."""

from __future__ import annotations

from collections.abc import Callable

from app.settings import CACHE_BITS, SPEED_LIMIT, SettingsStore
from app.ui.settings.page import SettingsPage
from app.words import number, tr

CONTEXTS = tuple(2048 << step for step in range(8))  # tokens, to 262,144

ContextCost = Callable[[int], str]  # what a context of so many tokens takes of memory, in words


def no_cost(_tokens: int) -> str:
    """Where no model is known."""
    return ""


def models_page(store: SettingsStore, context_cost: ContextCost) -> SettingsPage:
    page = SettingsPage(store, tr("Models"))
    page.check(
        "load_at_start",
        tr("Load a model when Redraft starts"),
        tr("Else the first question loads it."),
    )
    page.folder(
        "model_folder",
        tr("Model folder"),
        tr("Loaded at the next start. Normally what was loaded last."),
        tr("The demo model"),
    )
    page.options(
        "model_context",
        tr("Context length"),
        tr("What the model has in view, and what it takes of memory. From the next start on."),
        (),
    )
    bits = [(each, tr("{number} bit", number=each)) for each in CACHE_BITS]
    page.options(
        "cache_bits",
        tr("Precision of the context"),
        tr("8 bit takes half the memory and may cost quality in long texts."),
        bits,
    )
    page.folder(
        "models_home",
        tr("Folder for models"),
        tr("New ones go there. Those that are here stay; each can be moved in its place."),
        tr("In the folder with your data"),
    )
    page.whole(
        "download_limit",
        tr("Speed limit of downloads"),
        tr("0: no limit."),
        SPEED_LIMIT,
        suffix=tr(" MB a second"),
    )
    fill_contexts(page, context_cost, store.value.model_context)
    return page


def fill_contexts(page: SettingsPage, context_cost: ContextCost, chosen: int) -> None:
    """The lengths to choose from, each with its cost for the model that runs."""
    rows: list[tuple[object, str]] = [(0, tr("As the engine chooses"))]
    for tokens in sorted({*CONTEXTS, chosen} - {0}):
        words, cost = tr("{tokens} tokens", tokens=number(tokens)), context_cost(tokens)
        rows.append((tokens, f"{words} · {cost}" if cost else words))
    page.refill("model_context", rows)
