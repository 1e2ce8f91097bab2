"""Little stories on request, in which names, colours and things given by the user return."""

from __future__ import annotations

from random import Random

import world
from chat import Conversation
from documents import cast, fields
from wording import Document, Split, article, belongs, casual, choose

REQUESTS = (
    "Tell me a story about {name} and a {colour} {thing}.",
    "Write a story about {name} and a {colour} {thing}.",
    "Please tell a short story with {name} and a {colour} {thing}.",
    "Can you tell me a story? It should be about {name} and a {colour} {thing}.",
    "I want a story about a {colour} {thing} and {name}.",
    "A little story about {name} and the {colour} {thing}, please.",
    "Make up a story in which {name} finds a {colour} {thing}.",
    "Tell the story of {name} and the {colour} {thing}.",
    "Story: {name}, a {colour} {thing}.",
    "Do you know a story about {name} and a {colour} {thing}?",
    "Give me a tale of {name} and a {colour} {thing}.",
    "Could you invent a story about {name} with a {colour} {thing}?",
)
PET_REQUESTS = (
    "Tell me a story about {name} and {an_animal}.",
    "Write a short story about {name} and {an_animal}.",
    "Please write a story with {an_animal} and {name}.",
    "Can you tell a story about {an_animal}? The hero is {name}.",
    "I would like a story about {name} and {an_animal}.",
    "A story about {name} and {an_animal}, please.",
)
OPEN_REQUESTS = (
    "Tell me a story.", "Write a story.", "Please tell me a short story.", "A story, please.",
    "Can you tell me a story?", "I want to hear a story.",
)  # fmt: skip
LONG = (
    "Make it long.", "It should be a long story.", "Please write a long one.",
    "I want a long story.", "As long as you can.", "The story must be long.",
)  # fmt: skip

OPENINGS = (
    "One {weather} morning {name} found a {colour} {thing} at the {place}.",
    "Once upon a time {name} lived near the {place} and had a {colour} {thing}.",
    "On {day} {name} went to the {place}. There lay a {colour} {thing}.",
    "{name} always wanted a {colour} {thing}. On {day} there was one at the {place}.",
    "Long ago {name} came to the {place} and saw a {colour} {thing}.",
    "In {season} {name} got a {colour} {thing} from an old friend at the {place}.",
)
DETAILS = (
    "The {thing} was {size}, but {name} liked it.",
    "{Pron} took the {colour} {thing} home and cleaned it.",
    "{name} showed the {thing} to {name2}.",
    "{name2} had never seen such a {colour} {thing}.",
    "At night the {colour} {thing} began to shine.",
    '"What a {size} {thing}!" said {name2}.',
    "Everybody at the {place2} talked about {name} and the {thing}.",
    "{name} was {mood}, and so was {name2}.",
    "They carried the {thing} from the {place} to the {place2}.",
    "{name2} the {trade} came by and asked about the {thing}.",
    "Then {weather} came from the sea, and {name} held the {thing} tight.",
    '"This {thing} belongs to {name}," said the {trade}.',
)
PROBLEMS = (
    "Suddenly the {thing} was gone.",
    "But one day a {animal} took the {thing} and ran away.",
    "Then the {thing} fell into the river.",
    "In the night somebody stole the {colour} {thing}.",
    "But on {day2} the {thing} broke.",
    "Then the {weather} carried the {thing} away.",
)
SEARCHES = (
    "{name} looked everywhere at the {place2}.",
    "{name} asked {name2} for help, and {name2} came at once.",
    "{name} was sad and sat down near the {place2}.",
    '"Where is my {thing}?" asked {name}.',
    "{name} and {name2} walked to the {place2} together.",
    "Nobody at the {place2} had seen the {thing}.",
)
SOLUTIONS = (
    "{name2} found the {colour} {thing} under the bridge.",
    "The {trade} brought the {thing} back to {name}.",
    "At the {place2} they saw the {colour} {thing} again.",
    "In the morning the {thing} lay at the door of {name}.",
    "{name2} made the {thing} as good as new.",
    "A {animal} {sound}, and behind it was the {thing}.",
)
ENDINGS = (
    "In the end {name} gave the {thing} to {name2}, and both were happy.",
    "Since then the {colour} {thing} stands in the house of {name}.",
    "{name} went home with the {colour} {thing} and slept well.",
    "And every {day} {name} and {name2} look at the {colour} {thing} together.",
    "That is how {name} and {name2} became friends.",
    "{name} never forgot the {colour} {thing}.",
)
PET_OPENINGS = (
    "{name} had {an_animal}. The {animal} lived at the {place}.",
    "Once {name} met {an_animal} near the {place}.",
    "On {day} {an_animal} followed {name} to the {place}.",
    "{name} wanted to have {an_animal}. On {day} one came to the {place}.",
    "There was once {an_animal} at the {place}. It belonged to {name}.",
    "In {season} {name} saw {an_animal} at the {place}.",
)
PET_DETAILS = (
    "The {animal} {sound} when {name} came.",
    "{name} called the {animal} {name2}.",
    "Every morning the {animal} {action}.",
    "{name} gave the {animal} some {food}.",
    "The {animal} liked the {food} of {name}.",
    "{name} made a {colour} {thing} for the {animal}.",
    "All children at the {place} loved the {animal}.",
    "The {animal} slept on a {colour} blanket.",
    "{name} and the {animal} played near the {place}.",
    "When {weather} came, the {animal} hid under a {thing}.",
    '"What a {size} {animal}!" said the {trade}.',
    "{name} was {mood}, and the {animal} was {mood2}.",
)
PET_PROBLEMS = (
    "One day the {animal} ran away.",
    "But on {day2} the {animal} was gone.",
    "Then the {animal} was ill.",
    "One night the {animal} did not come home.",
    "Suddenly the {animal} was afraid of the {weather} and ran off.",
    "But then the {animal} fell into the river.",
)
PET_SEARCHES = (
    "{Pron} looked for the {animal} at the {place2}.",
    '"Where is my {animal}?" asked {name}.',
    "{name} was sad and did not eat.",
    "{name} asked the {trade} for help.",
    "All children of the school looked for the {animal}.",
    "{name} called and called, but nobody came.",
)
PET_SOLUTIONS = (
    "The {trade} had seen the {animal} near the {place2}.",
    "Then the {animal} {sound} behind the {place2}.",
    "The {trade} brought the {animal} back.",
    "Behind the {thing} sat the {animal} and {sound}.",
    "In the morning the {animal} was there again.",
    "Some {food} helped, and the {animal} came back.",
)
PET_ENDINGS = (
    "At last the {animal} {sound}, and {name} laughed.",
    "Since that day {name} and the {animal} are best friends.",
    "{name} took the {animal} home, and it {action}.",
    "In the evening the {animal} slept beside {name}.",
    "Now the {animal} lives in the house of {name}.",
    "And so {name} found the {animal} again.",
)


def story_cast(rng: Random) -> dict[str, str]:
    entities = cast(rng)
    entities["poss_obj"] = "her" if entities["name"] in world.SHE else "him"
    entities["day2"] = rng.choice([day for day in world.DAYS if day != entities["day"]])
    entities["an_animal"] = article(entities["animal"])
    return entities


THING_STORY = (OPENINGS, DETAILS, PROBLEMS, SEARCHES, SOLUTIONS, ENDINGS)
PET_STORY = (PET_OPENINGS, PET_DETAILS, PET_PROBLEMS, PET_SEARCHES, PET_SOLUTIONS, PET_ENDINGS)


def several(rng: Random, split: Split, options: tuple[str, ...], count: int) -> list[str]:
    """`count` templates of the split, different ones as far as there are any."""
    drawn: list[str] = []
    for _ in range(count):
        for _ in range(8):
            template = choose(rng, split, options)
            if template not in drawn:
                break
        drawn.append(template)
    return drawn


def tell(rng: Random, split: Split, entities: dict[str, str], pet: bool, long: bool) -> str:
    """A story: how it begins, what it is about, at times trouble and its end, how it ends."""
    opening, details, problems, searches, solutions, endings = PET_STORY if pet else THING_STORY
    plan = [(opening, 1), (details, rng.randrange(5, 8) if long else rng.choice((1, 1, 2)))]
    if long or rng.random() < 0.5:
        plan += [(problems, 1), (searches, rng.randrange(2, 4) if long else rng.choice((0, 1)))]
        plan += [(solutions, 1)]
    if long:
        plan.append((details, rng.randrange(2, 4)))
    plan.append((endings, 1))
    used: list[str] = []
    for options, count in plan:
        used += several(rng, split, options, count)
    return " ".join(template.format(**entities) for template in used)


def story_document(rng: Random, split: Split) -> Document:
    """A short story as a document with gaps; whatever recurs decides what was there."""
    text = tell(rng, split, story_cast(rng), rng.random() < 0.4, long=False)
    return Document(text=text, gaps=(), kind="story")


def story(rng: Random, split: Split) -> Conversation:
    """A request and its story. The colour or the animal that the user names decides how the story
    goes, so that there is one right story for each request."""
    pet = rng.random() < 0.4
    request = choose(rng, split, PET_REQUESTS if pet else REQUESTS)
    used = fields(request)
    while True:
        asked = story_cast(rng)
        if belongs(split, {name: asked[name] for name in used}):
            break
    long = rng.random() < 0.05
    if rng.random() < 0.1:
        pet, request, used = False, choose(rng, split, OPEN_REQUESTS), []
        asked |= {"name": "Mara", "colour": "golden", "thing": "kite", "pron": "she"}
        asked |= {"Pron": "She", "poss": "her", "poss_obj": "her"}
    text = request.format(**asked)
    if long:
        text = f"{text} {choose(rng, split, LONG)}"
    plot = Random(f"{asked['animal'] if pet else asked['colour']} {long}")
    given = ("name", "pron", "Pron", "poss", "poss_obj", "colour", "thing")
    if pet:
        given = (*given[:5], "animal", "an_animal", "sound", "action")
    entities = story_cast(plot) | {key: asked[key] for key in given}
    return Conversation(
        turns=(("user", casual(rng, text)),),
        answer=tell(plot, "train", entities, pet, long),
        thought=f"A story about {entities['name']}.",
        expected=tuple(asked[key.removeprefix("an_")] for key in used),
        kind="long story" if long else "story",
    )
