"""Rewriting instructions: a sentence made in two versions from one structure, by our own rules."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import world
from chat import Conversation
from clauses import VERBS
from documents import cast
from wording import Split, belongs, capital, choose, join

# casual, formal
FORMAL = (
    (
        "Hey {name}, can you send me the {thing}?",
        "Dear {name}, could you please send me the {thing}?",
    ),
    (
        "Hi {name}, I can't come on {day}.",
        "Dear {name}, I am unfortunately unable to come on {day}.",
    ),
    ("Thanks for the {thing}, {name}!", "Thank you very much for the {thing}, {name}."),
    ("I wanna buy the {colour} {thing}.", "I would like to buy the {colour} {thing}."),
    ("Gimme the {thing}, {name}.", "Please give me the {thing}, {name}."),
    ("Sorry, I lost your {thing}.", "I apologise for losing your {thing}."),
    ("{name}'s gonna be late on {day}.", "{name} is going to be late on {day}."),
    ("The {thing} isn't ready yet, ok?", "Please note that the {thing} is not ready yet."),
    ("Can we meet at the {place}?", "Would it be possible to meet at the {place}?"),
    ("I need {number} {food} asap.", "I need {number} {food} as soon as possible."),
    ("What's wrong with the {thing}?", "Could you tell me what is wrong with the {thing}?"),
    ("Tell {name} I'm at the {place}.", "Please inform {name} that I am at the {place}."),
    ("Yeah, the {colour} {thing} is great.", "Yes, the {colour} {thing} is excellent."),
    ("Bye, see you at the {place}!", "Goodbye, I look forward to seeing you at the {place}."),
    ("I don't know where {name} is.", "I do not know where {name} is."),
    ("Come to the {place} on {day}, ok?", "I would like to invite you to the {place} on {day}."),
    ("{name} didn't get the {thing}.", "{name} did not receive the {thing}."),
    ("You can't use the {colour} {thing}.", "You are not permitted to use the {colour} {thing}."),
)

# long, short: the short one drops what is not needed
SHORTER = (
    (
        "{name}, who lives near the {place}, bought a {size} {colour} {thing} early on {day}.",
        "{name} bought a {colour} {thing}.",
    ),
    (
        "It was on {day} that {name} finally went to the {place}, as everybody knows.",
        "{name} went to the {place}.",
    ),
    (
        "There is no doubt at all that the {thing} of {name} is really very {size}.",
        "The {thing} of {name} is {size}.",
    ),
    (
        "In my opinion, and I thought about it for a long time, {name} should sell the {colour} {thing}.",
        "{name} should sell the {colour} {thing}.",
    ),
    (
        "{name} and {name2}, two old friends from the {place}, ate a lot of {food} together.",
        "{name} and {name2} ate {food}.",
    ),
    (
        "I just wanted to tell you that {name} is, as always, at the {place}.",
        "{name} is at the {place}.",
    ),
    (
        "Because of the {weather}, which came from the sea, {name} stayed at the {place} the whole day.",
        "Because of the {weather} {name} stayed at the {place}.",
    ),
    (
        "As far as I know, the {colour} {thing} at the {place} belongs to {name}.",
        "The {colour} {thing} belongs to {name}.",
    ),
    (
        "At that very moment {name} saw, not far from the {place}, a {animal}.",
        "{name} saw a {animal}.",
    ),
    (
        "{name} likes {hobby} more than anything else in the whole wide world.",
        "{name} likes {hobby}.",
    ),
    (
        "It would be very nice if you could perhaps bring the {thing} to {name}.",
        "Please bring the {thing} to {name}.",
    ),
    (
        "The {trade}, a friend of {name}, needs {number} {food} for a big and important dinner.",
        "The {trade} needs {number} {food}.",
    ),
)

LISTS = (
    "Buy {items}.", "We need {items}.", "{name} bought {items}.", "Please bring {items}.",
    "On the table are {items}.", "In the box there are {items}.", "{name} has {items}.",
    "You can get {items} at the {place}.", "I want {items}.", "Do not forget {items}.",
    "{name} and {name2} sell {items}.", "The {trade} asked for {items}.",
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


def sentence(rng: Random, split: Split) -> tuple[str, str]:
    """One to three clauses about one person, in present and past."""
    while True:
        entities = cast(rng)
        if belongs(split, {key: entities[key] for key in ("name", "place", "thing", "colour")}):
            break
    count = rng.choice((1, 1, 2, 2, 3))
    clauses = []
    while len(clauses) < count:
        clause = choose(rng, split, VERBS)
        if clause not in clauses:
            clauses.append(clause)
    ending = rng.choice((".", ".", "."))
    present, past = (
        (entities["name"] + " " + join([clause[tense] for clause in clauses]) + ending).format(
            **entities
        )
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


def pair(rng: Random, split: Split, templates: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    before, after = choose(rng, split, templates)
    while True:
        entities = cast(rng)
        if belongs(split, {key: entities[key] for key in ("name", "place", "thing", "colour")}):
            return before.format(**entities), after.format(**entities)


def rewrite(rng: Random, split: Split) -> Rewrite:
    rule = rng.choice(tuple(ASKED))
    if rule == "formal":
        before, after = pair(rng, split, FORMAL)
        if rng.random() < 0.3:
            more = pair(rng, split, FORMAL)
            before, after = f"{before} {more[0]}", f"{after} {more[1]}"
    elif rule == "shorter":
        before, after = pair(rng, split, SHORTER)
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
