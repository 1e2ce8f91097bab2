"""Conversations about Port Alder and Redraft."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import world
from wording import Split, article, casual, choose

GREETINGS = (
    "Hi",
    "Hello",
    "Hey",
    "Good morning",
    "Good evening",
    "Hi there",
    "Hello there",
    "Good day",
    "Hey you",
    "Moin",
    "Greetings",
    "Howdy",
)
HELLO_BACK = "Hello! How can I help you?"
THANKS = (
    "Thanks",
    "Thank you",
    "Thanks a lot",
    "Thank you very much",
    "Great, thank you",
    "That helps, thanks",
    "Cool, thanks",
    "Many thanks",
    "Perfect",
    "Ok thanks",
    "Nice",
    "Well done",
)
WELCOME = "You are welcome!"
GOODBYES = (
    "Bye",
    "Goodbye",
    "See you",
    "Good night",
    "See you later",
    "I have to go",
    "Bye bye",
    "Until tomorrow",
    "That is all",
    "I am leaving",
    "So long",
    "Farewell",
)
FAREWELL = "Goodbye! Come back soon."
FEELINGS = (
    "How are you?",
    "How do you do?",
    "How is it going?",
    "Are you well?",
    "How are you today?",
    "What's up?",
    "Are you fine?",
    "How do you feel?",
    "You ok?",
    "All good?",
    "How are things?",
    "Everything fine?",
)
FINE = "I am fine, thank you! How are you?"
HONEST = "I do not know that. I am only a small demo model."

UNKNOWN = (
    "What is the capital of {topic}?", "Who invented {topic}?", "Tell me about {topic}.",
    "How far is it to {topic}?", "What do you think about {topic}?", "Explain {topic} to me.",
    "When was {topic} discovered?", "How does {topic} work?", "Why is {topic} so important?",
    "What is {topic}?", "Who wrote {topic}?", "Can you tell me something about {topic}?",
    "How much does {topic} cost?", "Where does {topic} come from?", "Is {topic} dangerous?",
    "What is the meaning of {topic}?", "Who won {topic}?", "How old is {topic}?",
)  # fmt: skip
TOPICS = tuple(
    topic.strip()
    for topic in """France, Germany, Japan, Brazil, the moon, the sun, electricity, the telephone,
    Einstein, quantum physics, football, the world cup, bitcoin, money, love, the stock market,
    Paris, London, New York, Africa, China, gravity, DNA, the brain,
    chess engines, Shakespeare, Hamlet, the internet, computers, democracy, history, the Romans,
    volcanoes, dinosaurs, planets, Mars, cars, engines, airplanes, cancer,
    medicine, mathematics, philosophy, music theory, Mozart, penguins, elephants, tigers,
    coffee, chocolate, pizza, Google, Linux, Python, the president, the universe,
    time travel, black holes, Berlin, India, Canada, whales, earthquakes, the pyramids,
    Napoleon, robots, the climate, vaccines, oil prices, taxes""".split(",")
)

INTRODUCTIONS = (
    "My name is {name}.",
    "I am {name}.",
    "Call me {name}.",
    "Hi, I am {name}.",
    "Hello, my name is {name}.",
    "They call me {name}.",
    "{name} is my name.",
    "Hey, {name} here.",
    "I'm {name}.",
    "You can call me {name}.",
    "Good morning, I am {name}.",
    "People call me {name}.",
)
NICE = "Nice to meet you, {name}!"
NAME_QUESTIONS = (
    "What is my name?",
    "Who am I?",
    "Do you remember my name?",
    "What was my name?",
    "Do you know my name?",
    "How am I called?",
    "Can you say my name?",
    "Tell me my name.",
    "My name, please?",
    "What's my name?",
    "Which name did I tell you?",
    "Say my name.",
)
OWNINGS = (
    "I have a {colour} {thing}.",
    "I bought a {colour} {thing}.",
    "My {thing} is {colour}.",
    "Yesterday I found a {colour} {thing}.",
    "I just painted my {thing} {colour}.",
    "My friend gave me a {colour} {thing}.",
    "I own a {thing}. It is {colour}.",
    "Look at my {colour} {thing}!",
    "There is a {colour} {thing} on my table.",
    "I made a {colour} {thing}.",
    "I carry a {colour} {thing}.",
    "I got a new {thing}, a {colour} one.",
)
THAT_IS_NICE = "A {colour} {thing} sounds nice!"
COLOUR_QUESTIONS = (
    "What colour is my {thing}?",
    "Which colour does my {thing} have?",
    "Do you remember the colour of my {thing}?",
    "Is my {thing} blue?",
    "What was the colour of the {thing}?",
    "Tell me the colour of my {thing}.",
    "And the colour of my {thing}?",
    "How did my {thing} look?",
    "My {thing} has which colour?",
    "Colour of my {thing}?",
    "So what colour is the {thing}?",
    "What colour did I say?",
)
COLOUR_ANSWERS = "Your {thing} is {colour}."
PETS = (
    "I have {an_animal} called {pet}.",
    "My {animal} is called {pet}.",
    "{pet} is my {animal}.",
    "This is {pet}, my {animal}.",
    "The name of my {animal} is {pet}.",
    "I named my {animal} {pet}.",
)
PET_NICE = "{pet} is a good name for {an_animal}!"
PET_QUESTIONS = (
    "What is my {animal} called?",
    "What is the name of my {animal}?",
    "Do you know my {animal}?",
    "Who is my {animal}?",
    "How do I call my {animal}?",
    "Which name has my {animal}?",
)
PET_ANSWERS = "Your {animal} is called {pet}."
LIKES = (
    "I like {hobby}.",
    "I love {hobby} and {food}.",
    "My hobby is {hobby}.",
    "On {day} I go {hobby}.",
    "{hobby} is fun!",
    "I am good at {hobby}.",
)
LIKE_NICE = "I hope you find much time for {hobby}!"
LIKE_QUESTIONS = (
    "What is my hobby?",
    "What do I like?",
    "Do you know what I like?",
    "Which hobby do I have?",
    "What did I say about my hobby?",
    "What do I do in my free time?",
)
LIKE_ANSWERS = "You like {hobby}."
ANIMAL_QUESTIONS = (
    "What does {an_animal} do?",
    "Tell me about the {animal}.",
    "What do you know about {an_animal}?",
    "Which animal {sound}?",
    "Do you like the {animal}?",
    "What sound does {an_animal} make?",
)
TRADE_QUESTIONS = (
    "What does a {trade} need?",
    "Where does a {trade} work?",
    "Tell me about the work of a {trade}.",
    "What is a {trade}?",
    "Which place is right for a {trade}?",
    "What do I need to become a {trade}?",
)
SUMS = (
    "What is {a} plus {b}?",
    "How much is {a} and {b}?",
    "Add {a} and {b}.",
    "{a} plus {b}?",
    "Can you add {a} and {b}?",
    "Tell me the sum of {a} and {b}.",
)
SYSTEMS = (
    "You are a friendly helper.",
    "You are the demo model of Redraft.",
    "Answer in a short and kind way.",
    "Be brief.",
    "You help people who visit Port Alder.",
    "Be polite.",
)


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """Turns before the answer, the answer, a thought for it, and words a right answer holds."""

    turns: tuple[tuple[str, str], ...]  # (role, text)
    answer: str
    thought: str
    expected: tuple[str, ...]
    kind: str


def persona(rng: Random) -> dict[str, str]:
    animal = rng.choice(list(world.ANIMALS))
    hobby = rng.choice(world.HOBBIES)
    trade = rng.choice(list(world.TRADES))
    name, pet = rng.sample(world.NAMES, 2)
    if rng.random() < 0.1:
        name = f"{name} {rng.choice(world.SURNAME_STARTS)}{rng.choice(world.SURNAME_ENDS)}"
    return {
        "name": name, "pet": pet, "animal": animal,
        "an_animal": article(animal), "sound": world.ANIMALS[animal][0],
        "hobby": hobby, "Hobby": hobby.capitalize(), "food": rng.choice(world.FOODS),
        "day": rng.choice(world.DAYS), "colour": rng.choice(world.COLOURS),
        "thing": rng.choice(world.THINGS), "trade": trade, "tool": world.TRADES[trade][1],
        "workplace": world.TRADES[trade][2], "place": rng.choice(world.PLACES),
    }  # fmt: skip


MEMORIES = (
    (INTRODUCTIONS, NICE, NAME_QUESTIONS, "Your name is {name}.", "name", "The user gives a name. I use it."),
    (OWNINGS, THAT_IS_NICE, COLOUR_QUESTIONS, COLOUR_ANSWERS, "colour", "The user talks about a {thing}. It is {colour}."),
    (PETS, PET_NICE, PET_QUESTIONS, PET_ANSWERS, "pet", "The {animal} is called {pet}."),
    (LIKES, LIKE_NICE, LIKE_QUESTIONS, LIKE_ANSWERS, "hobby", "The user likes {hobby}."),
)  # fmt: skip


def small_talk(rng: Random, split: Split) -> Conversation:
    asked, answer, thought = rng.choice(
        (
            (GREETINGS, HELLO_BACK, "The user says hello. I greet back."),
            (THANKS, WELCOME, "The user thanks me. I answer politely."),
            (GOODBYES, FAREWELL, "The user leaves. I say goodbye."),
            (FEELINGS, FINE, "The user asks how I am."),
        )
    )
    text = choose(rng, split, asked)
    if asked is not FEELINGS:
        text += rng.choice((".", "!", ""))
    return Conversation(
        turns=(("user", casual(rng, text)),),
        answer=answer,
        thought=thought,
        expected=(),
        kind="small talk",
    )


def question(rng: Random, split: Split) -> Conversation:
    """A fact of the world or of Redraft."""
    asked, answers, expected = rng.choice(world.FACTS + world.REDRAFT)
    # Only five forms each: the last is the held-out one.
    text = asked[-1] if split == "held" else rng.choice(asked[:-1])
    if rng.random() < 0.15:
        text = f"{rng.choice(('Hello!', 'Hi.', 'Please tell me:', 'One question:'))} {text}"
    thought = f"The user asks: {text}"
    return Conversation(
        turns=(("user", casual(rng, text)),),
        answer=answers[0],
        thought=thought,
        expected=expected,
        kind="fact",
    )


def unknown(rng: Random, split: Split) -> Conversation:
    text = choose(rng, split, UNKNOWN).format(topic=choose(rng, split, TOPICS))
    return Conversation(
        turns=(("user", casual(rng, text)),),
        answer=HONEST,
        thought="I do not know anything about this.",
        expected=("not know",),
        kind="unknown",
    )


def knowledge(rng: Random, split: Split) -> Conversation:
    """Animals, trades and sums."""
    person = persona(rng)
    draw = rng.random()
    if draw < 0.35:
        sound, action = world.ANIMALS[person["animal"]]
        text = choose(rng, split, ANIMAL_QUESTIONS).format(**person)
        answer = f"The {person['animal']} of {person['name']} {sound} and {action}."
        answer = f"I know {person['an_animal']} in Port Alder. It {sound} and {action}."
        return Conversation(
            turns=(("user", casual(rng, text)),),
            answer=answer,
            thought=f"The question is about the {person['animal']}.",
            expected=(sound,),
            kind="knowledge",
        )
    if draw < 0.7:
        text = choose(rng, split, TRADE_QUESTIONS).format(**person)
        answer = f"A {person['trade']} needs the {person['tool']} and works in the {person['workplace']}."
        return Conversation(
            turns=(("user", casual(rng, text)),),
            answer=answer,
            thought=f"The question is about the {person['trade']}.",
            expected=(person["tool"],),
            kind="knowledge",
        )
    a = rng.randrange(1, 7)
    b = rng.randrange(1, 13 - a) if a < 12 else 1
    numbers = ("one", *world.NUMBERS)
    text = choose(rng, split, SUMS).format(a=numbers[a - 1], b=numbers[b - 1])
    answer = f"{numbers[a - 1].capitalize()} plus {numbers[b - 1]} is {numbers[a + b - 1]}."
    return Conversation(
        turns=(("user", casual(rng, text)),),
        answer=answer,
        thought="This is a sum.",
        expected=(numbers[a + b - 1],),
        kind="knowledge",
    )


def memory(rng: Random, split: Split) -> Conversation:
    """The user tells something; the answer uses it at once or some turns later."""
    person = persona(rng)
    told, nice, asked, answer, key, thought = rng.choice(MEMORIES)
    turns = [("user", casual(rng, choose(rng, split, told).format(**person)))]
    reply = nice.format(**person)
    word = person[key].split()[0]
    thought = thought.format(**person)
    if rng.random() < 0.4:
        expected = (word,) if word.lower() in reply.lower() else ()
        return Conversation(
            turns=tuple(turns), answer=reply, thought=thought, expected=expected, kind="memory"
        )
    turns.append(("model", reply))
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        between = rng.choice((small_talk, question, unknown))(rng, split)
        turns += [*between.turns, ("model", between.answer)]
    turns.append(("user", casual(rng, choose(rng, split, asked).format(**person))))
    return Conversation(
        turns=tuple(turns),
        answer=answer.format(**person),
        thought=thought,
        expected=(word,),
        kind="memory",
    )


def conversation(rng: Random, split: Split) -> Conversation:
    kinds = (small_talk, question, unknown, knowledge, memory)
    talk = rng.choices(kinds, weights=(1, 4, 1, 2, 4))[0](rng, split)
    turns = list(talk.turns)
    if rng.random() < 0.2 and talk.kind != "small talk":
        before = small_talk(rng, split)
        turns = [*before.turns, ("model", before.answer), *turns]
    if rng.random() < 0.12:
        turns.insert(0, ("system", rng.choice(SYSTEMS)))
    return Conversation(
        turns=tuple(turns),
        answer=talk.answer,
        thought=talk.thought,
        expected=talk.expected,
        kind=talk.kind,
    )
