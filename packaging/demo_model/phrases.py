"""Parts of sentences in two versions, and how they are put together: casual and formal, long and short.

There are thousands of ways to join them, so that a rule can be learned instead of its examples.
Held-out are a tenth of all combinations of parts (by checksum).
"""

from __future__ import annotations

from random import Random

from clauses import VERBS
from wording import Split, belongs, capital

Pair = tuple[str, str]

OPENINGS = (
    ("", ""), ("", ""), ("Hey {name}, ", "Dear {name}, "), ("Hi {name}, ", "Dear {name}, "),
    ("Yeah, ", "Yes, "),
)  # fmt: skip
ENDINGS = (
    ("", ""), ("", ""), ("", ""), (" Thanks!", " Thank you very much."), (" Bye!", " Goodbye."),
    (" Ok?", " Would you agree?"),
)  # fmt: skip
ASKING = (
    ("can you {do}?", "could you please {do}?"),
    ("can I {do}?", "may I {do}?"),
    ("I wanna {do}.", "I would like to {do}."),
    ("I'm gonna {do}.", "I am going to {do}."),
    ("I can't {do}.", "I am unable to {do}."),
    ("I don't wanna {do}.", "I would not like to {do}."),
    ("you can't {do}.", "you are not allowed to {do}."),
    ("let's {do}!", "I would suggest that we {do}."),
    ("we didn't {do}.", "we did not {do}."),
    ("wanna {do}?", "would you like to {do}?"),
    ("she's gonna {do}.", "she is going to {do}."),
    ("we gotta {do}.", "we have to {do}."),
    ("I'll {do} asap.", "I will {do} as soon as possible."),
    ("ok, he can {do}.", "he is welcome to {do}."),
)
HAVING = (
    ("gimme {it}.", "please give me {it}."),
    ("thanks for {it}!", "thank you very much for {it}."),
    ("I don't have {it}.", "I do not have {it}."),
    ("sorry, I lost {it}.", "I apologise for losing {it}."),
    ("where's {it}?", "could you tell me where {it} is?"),
    ("I need {it} asap.", "I need {it} as soon as possible."),
    ("{it} isn't ready, ok?", "please note that {it} is not ready."),
    ("can I get {it}?", "may I ask you for {it}?"),
)
ACTIONS = (
    "walk to the {place}", "buy a {colour} {thing}", "paint the {thing} {colour}", "see the {animal}",
    "eat the {food}", "find the {thing} of {name2}", "write to {name2}", "go to the {place}",
    "give {name2} a {thing}", "take the {colour} {thing}", "open the {thing}", "clean the {place}",
    "come home", "make a {thing}", "wait for {name2}", "sell the {food}", "look for the {animal}",
    "meet at the {place}", "come on {day}", "bring the {thing}", "ask {name2}", "stay at the {place}",
)  # fmt: skip
THINGS = (
    "the {colour} {thing}", "{number} {food}", "the {thing} of {name2}", "the {size} {thing}",
    "the {food}", "the {thing} from the {place}",
)  # fmt: skip

# What a short version leaves out.
BEFORE = (
    "", "As far as I know, ", "In my opinion, ", "As everybody knows, ", "There is no doubt that ",
    "I just wanted to tell you that ", "As you may have heard, ", "If I remember well, ",
    "Early in the morning, on {day}, ", "At that very moment ", "After a long time, ",
)  # fmt: skip
BETWEEN = (
    "", ", who lives near the {place2},", ", an old friend of {name2},", ", as always,",
    ", not far from the {place2},", ", like so many others,", ", for once in a very good mood,",
    ", who had nothing else to do,",
)  # fmt: skip
BEHIND = (
    "", ", as everybody in Port Alder knows", " early in the morning", " once again, as always",
    ", if I remember well", " for a very long time", ", which nobody had thought possible",
    ", and that was good", " in spite of the {weather}",
)  # fmt: skip

# The others are held out of the documents, where they must stay unseen.
CLAUSES = tuple(clause for index, clause in enumerate(VERBS) if index % 6 != 5)


def is_of(split: Split, *parts: str) -> bool:
    """Whether a combination of parts is of this split."""
    return belongs(split, {str(number): part for number, part in enumerate(parts)})


def formal(rng: Random, split: Split) -> Pair:
    """Casual and formal, with the names of entities still open."""
    while True:
        opening, ending = rng.choice(OPENINGS), rng.choice(ENDINGS)
        if rng.random() < 0.65:
            core, inner = rng.choice(ASKING), rng.choice(ACTIONS)
        else:
            core, inner = rng.choice(HAVING), rng.choice(THINGS)
        if is_of(split, core[0], inner):
            break
    casual, proper = (text.replace("{do}", inner).replace("{it}", inner) for text in core)
    if not opening[0]:
        casual, proper = _capital(casual), _capital(proper)
    return opening[0] + casual + ending[0], opening[1] + proper + ending[1]


def shorter(rng: Random, split: Split) -> Pair:
    """Long and short; of the three places for what is not needed two are used at least."""
    while True:
        before, between, behind = rng.choice(BEFORE), rng.choice(BETWEEN), rng.choice(BEHIND)
        used = sum(map(bool, (before, between, behind)))
        if used >= 2 and is_of(split, before, between, behind):
            break
    clause = rng.choice(CLAUSES)[rng.random() < 0.7]
    return f"{before}{{name}}{between} {clause}{behind}.", f"{{name}} {clause}."


def tenses(rng: Random, split: Split) -> list[Pair]:
    """One to three clauses without their subject, in present and past."""
    while True:
        chosen = rng.sample(CLAUSES, rng.choice((1, 1, 2, 2, 3)))
        if is_of(split, *(clause[0] for clause in chosen)):
            return chosen


def _capital(text: str) -> str:
    return text if text.startswith("{") else capital(text)
