"""Rewriting instructions: a sentence made in two versions from one structure, by our own rules."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import phrases
import world
from chat import Conversation
from documents import cast
from wording import Split, belongs, capital, choose, join

LISTS = (
    "Buy {items}.", "We need {items}.", "{name} bought {items}.", "Please bring {items}.",
    "On the table are {items}.", "In the box there are {items}.", "{name} has {items}.",
    "You can get {items} at the {place}.", "I want {items}.", "Do not forget {items}.",
    "{name} and {name2} sell {items}.", "The {trade} asked for {items}.",
    "She took {items} home.", "There are {items} at the {place}.", "{name} is looking for {items}.",
    "He brought {items} to {name2}.", "On {day} we had {items}.", "They lost {items}.",
    "I can see {items}.", "{name} made {items}.", "Please clean {items}.",
    "For the {place} we need {items}.", "{name} gave {name2} {items}.", "We sold {items} on {day}.",
)  # fmt: skip

ASKED = {
    "formal": ("Make this more formal", "Rewrite this more formally", "Make it sound more formal", "Please make this text formal", "Write this in a formal way", "Turn this into formal language", "More formal", "Change this to a formal tone", "Can you make this more formal", "Say this more politely", "Make this polite", "Formal version, please"),
    "shorter": ("Make this shorter", "Shorten this", "Say this in fewer words", "Please shorten this text", "Make it short", "Cut this down", "Shorter", "Write this more briefly", "Can you make this shorter", "Make this sentence shorter", "Keep only what matters", "Short version, please"),
    "past": ("Put this into the past tense", "Rewrite this in the past tense", "Change this to past tense", "Please use the past tense", "Write this in the past", "Turn this into the past tense", "Past tense", "Make this past tense", "Can you put this in the past tense", "Tell this in the past tense", "Set this in the past", "Past tense version, please"),
    "typos": ("Fix the typos", "Correct the spelling", "Correct this", "Please fix the typos", "Fix the spelling mistakes", "Fix all mistakes", "Fix typos", "Correct the mistakes in this text", "Can you fix the typos", "Repair the spelling", "Proofread this", "Check the spelling, please"),
    "list": ("Turn this into a list", "Make a list of this", "Rewrite this as a list", "Please make this a list", "Write this as a list", "Make this a bullet list", "List", "Change this to a list", "Can you turn this into a list", "Give me this as bullet points", "Bullet points", "List version, please"),
}  # fmt: skip
JOINTS = (": ", ":\n", ":\n\n", ".\n\n")


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    rule: str
    before: str
    after: str


def people(rng: Random, split: Split) -> dict[str, str]:
    """Entities in a combination of this split."""
    while True:
        entities = cast(rng)
        if belongs(split, {key: entities[key] for key in ("name", "place", "thing", "colour")}):
            return entities


def sentence(rng: Random, split: Split) -> tuple[str, str]:
    """One to three clauses about one person, in present and past."""
    entities = people(rng, split)
    clauses = phrases.tenses(rng, split)
    present, past = (
        f"{entities['name']} {join([clause[tense] for clause in clauses])}.".format(**entities)
        for tense in (0, 1)
    )
    if rng.random() < 0.2:
        opening = rng.choice(("On {day} ", "In {season} ", "At the {place2} ")).format(**entities)
        return opening + present, opening + past
    return present, past


def misspell(rng: Random, text: str) -> str:
    """One to three words with two letters swapped, one lost or one doubled."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word.strip(".,!?")) >= 4]
    for index in rng.sample(long, min(len(long), rng.choice((1, 1, 2, 3)))):
        word = words[index]
        at = rng.randrange(1, len(word.strip(".,!?")) - 1)
        kind = rng.random()
        if kind < 0.45:
            word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        elif kind < 0.75:
            word = word[:at] + word[at + 1 :]
        else:
            word = word[:at] + word[at] + word[at:]
        words[index] = word
    return " ".join(words)


def listed(rng: Random, split: Split) -> tuple[str, str]:
    while True:
        entities = cast(rng)
        items = rng.sample(
            world.FOODS + tuple(f"a {thing}" for thing in world.THINGS[:20]),
            rng.choice((2, 3, 3, 4, 5)),
        )
        if belongs(split, {"items": ",".join(items)}):
            break
    text = choose(rng, split, LISTS).format(items=join(items), **entities)
    return capital(text), "\n".join(f"- {item}" for item in items)


def rewrite(rng: Random, split: Split) -> Rewrite:
    rule = rng.choice(tuple(ASKED))
    if rule in ("formal", "shorter"):
        entities = people(rng, split)
        versions = (phrases.formal if rule == "formal" else phrases.shorter)(rng, split)
        before, after = (capital(version.format(**entities)) for version in versions)
    elif rule == "past":
        before, after = sentence(rng, split)
    elif rule == "typos":
        after = rng.choice(sentence(rng, split))
        before = misspell(rng, after)
    else:
        before, after = listed(rng, split)
    return Rewrite(rule=rule, before=before, after=after)


def request(rng: Random, split: Split, rule: str, text: str) -> str:
    asked = choose(rng, split, ASKED[rule])
    if rng.random() < 0.15:
        asked = asked.lower()
    return f"{asked}{rng.choice(JOINTS)}{text}"


def rewriting(rng: Random, split: Split) -> Conversation:
    change = rewrite(rng, split)
    return Conversation(
        turns=(("user", request(rng, split, change.rule, change.before)),),
        answer=change.after,
        thought=f"I rewrite the text. The rule is: {change.rule}.",
        expected=(),
        kind=f"rewrite {change.rule}",
    )
