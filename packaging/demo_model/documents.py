"""Short prose in which words decide each other: the documents for filling gaps."""

from __future__ import annotations

import functools
import string
from random import Random

import more
import world
from clauses import VERBS
from frames import FRAMES
from wording import CLOSE, OPEN, Document, Split, article, belongs, capital, choose, unmark

# The marked word stands again behind the gap.
RECURRING = (
    "{name} painted the {thing} ⟦{colour}⟧. Everybody liked the {colour} {thing}.",
    "{name} bought a ⟦{thing}⟧ at the {place}. The {thing} was {colour} and {size}.",
    "⟦{name}⟧ went to the {place} on {day}. There {name} met {name2}.",
    "On {day} {name} walked to the ⟦{place}⟧. The {place} was {mood}.",
    "{name} has ⟦{number}⟧ {food}. All {number} {food} are for {name2}.",
    "A ⟦{colour}⟧ {animal} lives near the {place}. {name} calls the {colour} {animal} {name2}.",
    "{name} lost a ⟦{colour}⟧ {thing} and a {colour2} {thing2}. {name2} found the {colour} {thing} but not the other one.",
    "{name} lost a {colour} {thing} and a ⟦{colour2}⟧ {thing2}. {name2} found the {colour2} {thing2} but not the other one.",
    "The {animal} of ⟦{name}⟧ ran away. {name} looked for it at the {place}.",
    "{name} gave ⟦{name2}⟧ a {thing}. {name2} was {mood} and said thank you.",
    "First {name} went to the ⟦{place}⟧, then to the {place2}. At the {place} it was {mood}.",
    "We need {food} and ⟦{food2}⟧. {name} brings the {food} and {name2} brings the {food2}.",
    "We need ⟦{food}⟧ and {food2}. {name} brings the {food} and {name2} brings the {food2}.",
    "The ⟦{weather}⟧ came from the sea. Because of the {weather} {name} stayed at the {place}.",
    "{name} and ⟦{name2}⟧ share a house. {name} likes {hobby}, but {name2} likes {hobby2}.",
    "{name} likes ⟦{hobby}⟧ very much. On {day} there is {hobby} at the {place}.",
    "On ⟦{day}⟧ {name} bakes a pie. If you come on {day}, you can have some.",
    "The ticket costs ⟦{number}⟧ coins. {name} paid {number} coins and took a seat.",
    "In the {place} stands a ⟦{size}⟧ {thing}. {name} says that the {size} {thing} belongs to {name2}.",
    "Dear ⟦{name}⟧, thank you for the {thing}. I hope to see you on {day}, {name}!",
    "The sign at the {place} is ⟦{colour}⟧. When {name} sees the {colour} sign, it is time to go home.",
    "{name} was ⟦{mood}⟧ on {day}. Nobody knew why {name} was so {mood}.",
    "There are {number} boxes. The {colour} box holds the ⟦{thing}⟧. {name} opened it and took the {thing} out.",
    "My friend ⟦{name}⟧ lives at the {place}. Every {day} {name} visits me.",
    "Two friends met at the {place}. ⟦{name}⟧ brought {food} and {name2} brought {food2}. Then {name} and {name2} ate together.",
    "The {animal} hid behind the ⟦{thing}⟧. {name} moved the {thing} and saw it.",
    "A ⟦{animal}⟧ sat on the {thing}. {name} fed the {animal} with {food}.",
    "{name} put the {food} into the ⟦{colour}⟧ box. Later {name2} opened the {colour} box.",
    "Is this the ⟦{thing}⟧ of {name}? Yes, this {thing} belongs to {name}.",
    "The school needs ⟦{number}⟧ chairs. {name} made the {number} chairs in a week.",
    "{name} sails to the ⟦{place}⟧. The way to the {place} takes {number} hours.",
    "A letter came for ⟦{name}⟧. It said: come to the {place} on {day}, {name}.",
    "{name} wore a ⟦{colour}⟧ coat. In the {weather} only the {colour} coat could be seen.",
    "The {thing} and the ⟦{thing2}⟧ are both {colour}. But only the {thing2} is {size}.",
    "{name} sells {food} for ⟦{number}⟧ coins. {name2} has only {number} coins left.",
    "Everyone waited for ⟦{name}⟧. At last {name} came with a {colour} {thing}.",
    "{name} counted ⟦{number}⟧ birds over the {place}. A day later there were no longer {number} birds, only one.",
    "{name} named the {animal} ⟦{name2}⟧. Now {name2} sleeps beside the {thing} every night.",
    "The key to the ⟦{place}⟧ was {colour}. {name} lost it, and so the {place} stayed closed.",
    "It was {name} who saw the ⟦{weather}⟧ first. Soon the {weather} reached the {place}.",
    "The captain called {name} and ⟦{name2}⟧. {name} took the rope, {name2} took the flag.",
    "Nobody wanted the ⟦{size}⟧ {thing}. In the end {name} took the {size} {thing} home.",
    "⟦{name}⟧ and {name2} are friends. {name} is {mood}, {name2} is {mood2}.",
    "{name} and ⟦{name2}⟧ are friends. {name} is {mood}, {name2} is {mood2}.",
    "The ⟦{thing}⟧ is {colour}, the {thing2} is {colour2}. {name} takes the {thing}.",
    "The {thing} is ⟦{colour}⟧, the {thing2} is {colour2}. {name} takes the {colour} one.",
    "{name} saw {number} ⟦{food}⟧ on the table and ate all the {food}.",
    "From the ⟦{place}⟧ to the {place2} it is far, said {name}, and stayed at the {place}.",
    "Who has the ⟦{thing}⟧? {name} has the {thing}, and {name2} has the {thing2}.",
    "On ⟦{day}⟧ the {place} is open. So {name} went there on {day}.",
    "{name} likes the {colour} {thing}. But ⟦{name2}⟧ does not, for {name2} likes {colour2}.",
    "If ⟦{name}⟧ comes, {name2} goes. If {name} goes, {name2} comes.",
    "The boat of ⟦{name}⟧ is {colour}. It was {name} who painted it.",
    "Give the ⟦{food}⟧ to {name}! Without {food} {name} cannot cook.",
    "{name} wrote a letter about the ⟦{weather}⟧. The {weather} had broken the {thing}.",
    "A ⟦{size}⟧ {animal} and a {colour} {thing}: that is all {name} saw. The {animal} was {size}.",
    "{name} went with ⟦{name2}⟧ to the {place}, and on the way {name2} found a {thing}.",
    "We call the {colour} house the house of ⟦{name}⟧, because {name} built it.",
    "{name} bought {food}, ⟦{food2}⟧ and a {thing}. The {food2} was for {name2}.",
    "No one plays the drum like ⟦{name}⟧. When {name} plays, all of the {place} listens.",
)

# No word of the marked part stands behind the gap: it follows from what the words mean.
SEMANTIC = (
    "{name} has a ⟦{animal}⟧. Last night it {sound} in the garden.",
    "The ⟦{animal}⟧ of {name} {action}.",
    "A ⟦{animal}⟧ came to the {place}. {name} saw how it {action}.",
    "Look, there is the ⟦{animal}⟧! It {sound} again, said {name}.",
    "{name} dreamed of a ⟦{animal}⟧. In the dream it {action}.",
    "On the farm lives a ⟦{animal}⟧. It {sound} when {name} came.",
    "What {name} heard was a ⟦{animal}⟧. It {sound} all night.",
    "{name} is a ⟦{trade}⟧. Today {pron} {work}.",
    "{name} works as a ⟦{trade}⟧ and needs a new {tool}.",
    "The ⟦{trade}⟧ took the {tool} and started to work.",
    "My uncle was a ⟦{trade}⟧. In his life he {work} every day.",
    "Everyone knows the ⟦{trade}⟧. Since {day} {name} has seen how well {pron} {work}.",
    "Ask the ⟦{trade}⟧, said {name}. You find the {tool} in the {workplace}.",
    "{name} wants to become a ⟦{trade}⟧. The {workplace} is already full of work.",
    "⟦{name}⟧ lives at the {place}. {Pron} has a {colour} {thing} with {poss} name on it.",
    "⟦{He}⟧ went to the {place}. {poss2} mother called him back, for the boy was late.",
    "⟦{She}⟧ went to the {place}. Her mother called her back, for the girl was late.",
    "Today is ⟦{day}⟧. Tomorrow is {next_day}, and {name} will go to the {place}.",
    "It was a ⟦{day}⟧. The day after was a {next_day}, and {name} slept long.",
    "Yesterday was ⟦{day}⟧, so today is {next_day} and the {place} is open.",
    "{name} came on ⟦{day}⟧. One day later, on {next_day}, it rained.",
    "It was ⟦{season}⟧ in Port Alder. At the {place} {sign}.",
    "{name} loves the ⟦{season}⟧. Last year {sign}.",
    "In ⟦{season}⟧ {name} visited us, and {sign}.",
    "One day in ⟦{season}⟧ the town was quiet: {sign}.",
    "{name} sat under the ⟦{tree}⟧ tree and thought about {product}.",
    "From the ⟦{tree}⟧ tree of {name} we get {product}.",
    "The ⟦{tree}⟧ trees were big. That year there was a lot of {product}.",
    "The {thing} is not ⟦{adjective}⟧, it is {opposite}, said {name}.",
    "I thought it was ⟦{adjective}⟧, but it was the opposite: {opposite}.",
    "One {thing} is ⟦{adjective}⟧. The other is not, it is {opposite}.",
    "{name} wanted it ⟦{adjective}⟧ and {name2} wanted it {opposite}.",
    "{name} had ⟦{number}⟧ eggs. One egg broke, and then there were {less}.",
    "There were ⟦{number}⟧ people on the boat. {name} came too, and then there were {more}.",
    "{name} counted ⟦{number}⟧ ships. With the one at the bridge that makes {more}.",
    "{name} is ⟦{number}⟧ years old. Next year it will be {more}.",
    "They saw ⟦{article}⟧ {an_thing} near the {place}.",
    "{name} found ⟦{article}⟧ {an_thing} and {article2} {an_thing2}.",
    "If today is ⟦{day}⟧, then tomorrow is {next_day}.",
    "After ⟦{day}⟧ comes {next_day}, and then {name} goes home.",
    "{name} left on ⟦{day}⟧ and came back a day later, on {next_day}.",
    "The night of ⟦{day}⟧ was long. On the morning of {next_day} {name} was {mood}.",
    "{name} worked on ⟦{day}⟧ and again the next day, on {next_day}.",
    "Only one day is between them: ⟦{day}⟧ and then {next_day}.",
    "It is ⟦{day}⟧. {name} waits for tomorrow, for {next_day}.",
    "First ⟦{number}⟧, then {more}: {name} counts the boats.",
    "One more than ⟦{number}⟧ is {more}, said {name}.",
    "{name} had ⟦{number}⟧ coins and got one more. Now {pron} has {more}.",
    "It was ⟦{number}⟧ o'clock. An hour later, at {more}, {name} left.",
    "{name} ate one of ⟦{number}⟧ plums. So {less} were left.",
    "Is it ⟦{adjective}⟧? No, it is {opposite}.",
    "First the water was ⟦{adjective}⟧, later it was {opposite}.",
    "{name} is not ⟦{adjective}⟧ but {opposite}.",
    "What is ⟦{adjective}⟧ today can be {opposite} tomorrow.",
    "The {thing} is ⟦{adjective}⟧, the {thing2} is the opposite of that: {opposite}.",
    "When the ⟦{trade}⟧ came to the {place}, {name} saw the {tool}.",
    "A ⟦{trade}⟧ like {name} always has a good {tool}.",
    "{name} became a ⟦{trade}⟧ and bought a {tool}.",
    "Our ⟦{trade}⟧ {work} on {day}.",
    "The ⟦{trade}⟧ left the {workplace} at night.",
    "As a ⟦{trade}⟧ {name} spends the whole day in the {workplace}.",
    "Is {name} a ⟦{trade}⟧? Yes, {pron} {work}.",
    "Quiet! The ⟦{animal}⟧ {sound}.",
    "Then the ⟦{animal}⟧ {sound} and {action}.",
    "{name} heard the ⟦{animal}⟧. It {sound}.",
    "That must be a ⟦{animal}⟧, because it {sound}.",
    "No other animal but the ⟦{animal}⟧ {action}.",
    "When {name} came home, the ⟦{animal}⟧ {action}.",
    "They say that it is ⟦{season}⟧ when {sign}.",
    "{name} remembers that ⟦{season}⟧: {sign}.",
    "Every ⟦{season}⟧ it was the same, {sign}.",
    "It must be ⟦{season}⟧, said {name}, for {sign}.",
    "Under the ⟦{tree}⟧ tree {name} found {product}.",
    "{name} planted a ⟦{tree}⟧ tree and wants {product}.",
    "Without the ⟦{tree}⟧ tree there is no {product}.",
    "The ⟦{child}⟧ took {poss_c} hat and {pron_c} ran home.",
    "A ⟦{child}⟧ sat at the {place}. {Pron_c} had lost {poss_c} {thing}.",
    "There was a ⟦{child}⟧ who loved {poss_c} {animal}.",
    "The {trade} saw a ⟦{child}⟧, and {pron_c} waved.",
    "{name} owns ⟦{article}⟧ {an_thing}.",
    "There was ⟦{article}⟧ {an_thing} behind the {place}.",
)

# Sentences that decide nothing and may stand anywhere: distances vary.
ASIDES = (
    "It was late.", "The sun was shining.", "Listen!", "That is true.", "So it was.", "Look!",
    "Nobody said a word.", "What a day!", "This is what happened.", "The sea was calm.",
    "I saw it myself.", "Everybody knows that.", "It was cold outside.", "And that was all.",
    "Who would have thought so?", "Do not forget it.", "The bell rang.", "Time went by.",
)  # fmt: skip


def cast(rng: Random) -> dict[str, str]:
    """Entities for one document; names ending in 2 differ from their first."""
    name, name2 = rng.sample(world.NAMES, 2)
    she = name in world.SHE
    animal = rng.choice(list(world.ANIMALS))
    trade = rng.choice(list(world.TRADES))
    season = rng.choice(list(world.SEASONS))
    tree = rng.choice(list(world.TREES))
    day = rng.randrange(7)
    number = rng.randrange(1, len(world.NUMBERS) - 1)
    child = rng.choice(("boy", "girl"))
    adjective, opposite = rng.sample(rng.choice(world.OPPOSITES), 2)
    either = (world.AN_THINGS, world.THINGS)
    an_thing, an_thing2 = rng.choice(rng.choice(either)), rng.choice(rng.choice(either))
    entities = {
        "name": name,
        "name2": name2,
        "pron": "she" if she else "he",
        "poss": "her" if she else "his",
        "child": child,
        "pron_c": "he" if child == "boy" else "she",
        "Pron_c": "He" if child == "boy" else "She",
        "poss_c": "his" if child == "boy" else "her",
        "He": "He",
        "She": "She",
        "poss2": "His",
        "animal": animal,
        "sound": world.ANIMALS[animal][0],
        "action": world.ANIMALS[animal][1],
        "trade": trade,
        "work": world.TRADES[trade][0],
        "tool": world.TRADES[trade][1],
        "workplace": world.TRADES[trade][2],
        "season": season,
        "sign": rng.choice(world.SEASONS[season]),
        "tree": tree,
        "product": world.TREES[tree],
        "day": world.DAYS[day],
        "next_day": world.DAYS[(day + 1) % 7],
        "number": world.NUMBERS[number],
        "less": world.NUMBERS[number - 1],
        "more": world.NUMBERS[number + 1],
        "number2": world.NUMBERS[number - 1 if rng.random() < 0.5 else number + 1],
        "adjective": adjective,
        "opposite": opposite,
        "an_thing": an_thing,
        "article": article(an_thing).split()[0],
        "an_thing2": an_thing2,
        "article2": article(an_thing2).split()[0],
        "weather": rng.choice(world.WEATHER),
    }
    entities["Pron"] = capital(entities["pron"])
    pairs = {
        "colour": world.COLOURS,
        "thing": world.THINGS,
        "place": world.PLACES,
        "food": world.FOODS,
        "hobby": world.HOBBIES,
        "mood": world.MOODS,
        "size": world.SIZES,
    }
    for key, options in pairs.items():
        entities[key], entities[f"{key}2"] = rng.sample(options, 2)
    return entities


@functools.cache
def fields(template: str) -> list[str]:
    return [field for _, field, _, _ in string.Formatter().parse(template) if field]


def fill(rng: Random, split: Split, templates: tuple[str, ...]) -> str:
    """One of the templates with entities whose combination belongs to the split."""
    while True:
        # Drawn anew each time: a template of few words may have no combination in the split.
        template = more.expanded(rng, choose(rng, split, templates))
        entities = cast(rng)
        if belongs(split, {name: entities[name] for name in fields(template)}):
            return template.format(**entities)


OPTIONS = {
    "name": world.NAMES,
    "colour": world.COLOURS,
    "thing": world.THINGS,
    "place": world.PLACES,
    "food": world.FOODS,
    "animal": tuple(world.ANIMALS),
    "number": world.NUMBERS,
}


def framed_document(rng: Random, split: Split) -> Document:
    """Two halves about one thing, at times with a sentence about something else between them."""
    kind = rng.choice(("name", "name", *FRAMES))
    intros, recalls = FRAMES[kind]
    while True:
        parts = [choose(rng, split, intros), choose(rng, split, recalls)]
        if rng.random() < 0.3:
            other = rng.choice([name for name in FRAMES if name != kind])
            filler = choose(rng, split, FRAMES[other][rng.randrange(2)])
            # Nothing recurs of the filler: its {x} and {y} are entities of its own.
            filler = (
                filler.replace("{x}", "{z}").replace("{y}", "{w}").replace("{x_capital}", "{Z}")
            )
            parts.insert(1, filler.replace(OPEN, "").replace(CLOSE, ""))
        else:
            other = kind
        entities = cast(rng)
        entities["x"], entities["y"] = rng.sample(
            [o for o in OPTIONS[kind] if o not in entities.values()], 2
        )
        entities["z"], entities["w"] = rng.sample(
            [o for o in OPTIONS[other] if o not in entities.values()], 2
        )
        entities["x_capital"], entities["Z"] = capital(entities["x"]), capital(entities["z"])
        template = " ".join(parts)
        if belongs(split, {name: entities[name] for name in fields(template)}):
            marked = with_asides(rng, split, template.format(**entities))
            return unmark(marked, "recurring")


def linked_document(rng: Random, split: Split) -> Document:
    """Two or three sentences of free clauses about the same few people and things."""
    while True:
        entities = cast(rng)
        if belongs(split, {key: entities[key] for key in ("name", "name2", "place", "thing")}):
            break
    tense = rng.randrange(2)
    subjects = ("{name}", "{name}", "{name2}", "The {trade}", "{Pron}")
    sentences = []
    for number in range(rng.choice((2, 2, 3))):
        subject = "{name}" if number == 0 else rng.choice(subjects)
        clauses = [choose(rng, split, VERBS)[tense] for _ in range(rng.choice((1, 1, 2)))]
        opening = rng.choice(("", "", "", "Then ", "On {day} ", "At the {place2} ", "Now "))
        sentences.append(f"{opening}{subject} {' and '.join(dict.fromkeys(clauses))}.")
    text = " ".join(capital(sentence.format(**entities)) for sentence in sentences)
    return Document(text=text, gaps=(), kind="linked")


def with_asides(rng: Random, split: Split, marked: str) -> str:
    """At times a sentence about nothing before, between or behind the others."""
    sentences = marked.replace("! ", "!|").replace(". ", ".|").split("|")
    while rng.random() < 0.3:
        sentences.insert(rng.randrange(len(sentences) + 1), choose(rng, split, ASIDES))
    return " ".join(sentences)


def sentence_document(rng: Random, split: Split) -> Document:
    """Sentences of one kind; at times with a second, unrelated text around them."""
    draw = rng.random()
    if draw < (0.2 if split == "train" else 0.3):
        return framed_document(rng, split)
    if draw < 0.25 and split == "train":
        return linked_document(rng, split)
    kind = "semantic" if draw < 0.75 else "recurring"
    listed = {"semantic": SEMANTIC, "recurring": RECURRING}[kind]
    if split == "train":
        wide = {
            "semantic": (listed, more.SEMANTIC, more.WIDE_SEMANTIC, more.WIDE_AGES),
            "recurring": (listed, more.RECURRING, more.WIDE_RECURRING),
        }
        listed = rng.choice(wide[kind])
    marked = fill(rng, split, listed)
    if kind == "semantic" and split == "train":  # several at once: what belongs together is rare
        others = [
            fill(
                rng,
                split,
                rng.choice((SEMANTIC, more.SEMANTIC, more.WIDE_SEMANTIC, more.WIDE_AGES)),
            )
            for _ in range(rng.randrange(4))
        ]
        marked = " ".join([marked, *others])
    if rng.random() < 0.25:
        other = fill(rng, split, RECURRING if rng.random() < 0.5 else SEMANTIC)
        plain = other.replace(OPEN, "").replace(CLOSE, "")
        marked = f"{plain} {marked}" if rng.random() < 0.5 else f"{marked} {plain}"
    return unmark(with_asides(rng, split, marked), kind)
