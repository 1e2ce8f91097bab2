"""Short Python functions in which names, types and brackets decide each other."""

from __future__ import annotations

from random import Random

import more
from documents import fields
from wording import Document, Split, belongs, choose, unmark

VERBS = tuple("count find get make read sum build check load save".split())
NOUNS = tuple("item word name line price value node file score user page point".split())
TOTALS = tuple("total result answer output best found".split())
PARAMETERS = tuple("data text rows limit start end first second".split())
TYPES = ("int", "str", "float", "bool", "list")
EMPTY = {"int": "0", "str": '""', "float": "0.0", "bool": "False", "list": "[]"}

TEMPLATES = (
    "def {verb}_{noun}s(⟦{noun}s⟧):\n    {total} = 0\n    for {noun} in {noun}s:\n        {total} += {noun}\n    return {total}\n",
    "def {verb}_{noun}({a}, {b}):\n    ⟦{total}⟧ = {a} + {b}\n    return {total}\n",
    "def {verb}_{noun}(⟦{a}⟧):\n    if {a} is None:\n        return None\n    return {a}.{noun}\n",
    "def {verb}_{noun}s({a}):\n    {total} = []\n    for ⟦{noun}⟧ in {a}:\n        {total}.append({noun})\n    return {total}\n",
    "def {verb}_{noun}({a}: ⟦{type}⟧) -> {type}:\n    {total}: {type} = {a}\n    return {total}\n",
    "def {verb}_{noun}() -> ⟦{type}⟧:\n    {total} = {empty}\n    return {total}\n",
    "def {verb}_{noun}({a}, {b}):\n    if {a} > {b}:\n        return ⟦{a}⟧ - {b}\n    return {b} - {a}\n",
    "class {Noun}:\n    def __init__(self, {a}, ⟦{b}⟧):\n        self.{a} = {a}\n        self.{b} = {b}\n",
    "class {Noun}:\n    def {verb}(self, ⟦{a}⟧):\n        self.{a} = {a}\n        return self.{a}\n",
    "def {verb}_{noun}s({noun}s, {a}):\n    return [⟦{noun}⟧ for {noun} in {noun}s if {noun} > {a}]\n",
    "def {verb}_{noun}s({noun}s):\n    {total} = {{}}\n    for key, ⟦{noun}⟧ in {noun}s.items():\n        {total}[key] = {noun}\n    return {total}\n",
    "def {verb}_{noun}({a}, {b}={number}):\n    ⟦{total}⟧ = {a} * {b}\n    print({total})\n    return {total}\n",
    "def ⟦{verb}⟧_{noun}({a}):\n    return {a}\n\n\nprint({verb}_{noun}({number}))\n",
    "def {verb}_⟦{noun}⟧({a}):\n    return {a} + {number}\n\n\n{total} = {verb}_{noun}({number2})\n",
    "def {verb}_{noun}s({a}):\n    while ⟦{a}⟧ > {number}:\n        {a} -= 1\n    return {a}\n",
    "def {verb}_{noun}s({a}, {b}):\n    {total} = {a}[⟦{b}⟧]\n    del {a}[{b}]\n    return {total}\n",
    "⟦{total}⟧ = {number}\nfor {noun} in range({number2}):\n    {total} = {total} + {noun}\nprint({total})\n",
    "def {verb}_{noun}({a}, {b}):\n    try:\n        ⟦{total}⟧ = {a} / {b}\n    except ZeroDivisionError:\n        {total} = 0\n    return {total}\n",
    "import ⟦{module}⟧\n\n\ndef {verb}_{noun}({a}):\n    return {module}.{function}({a})\n",
    "from {module} import ⟦{function}⟧\n\n\ndef {verb}_{noun}({a}):\n    return {function}({a})\n",
    "def {verb}_{noun}s({a}):\n    with open({a}) as ⟦{noun}⟧:\n        return {noun}.read()\n",
    "def is_{noun}({a}, {b}):\n    return len(⟦{a}⟧) == len({b}) and {a}[0] == {b}[0]\n",
    "def {verb}_{noun}({a}):\n    {total} = {empty}\n    assert isinstance({total}, ⟦{type}⟧)\n    return {total}\n",
    "def {verb}_{noun}s({a}, ⟦{b}⟧):\n    for {noun} in {a}:\n        if {noun} == {b}:\n            return {noun}\n    return None\n",
    "{a} = [{number}, {number2}]\n{b} = max(⟦{a}⟧)\nprint({b}, {a}[0])\n",
    "def {verb}({a}):\n    ⟦return⟧ {a} + {number}\n",
    "def {verb}_{noun}({a}):\n    return ⟦(⟧{a} + {number}) * {number2}\n",
    "{total} = ⟦[⟧{number}, {number2}, {number}]\nprint(len({total}))\n",
    '{total} = ⟦{{⟧"{noun}": {number}, "{a}": {number2}}}\nprint({total}["{noun}"])\n',
    "lambda_{noun} = lambda ⟦{a}⟧: {a} * {number}\n{total} = lambda_{noun}({number2})\n",
)

MODULES = (
    ("math", "sqrt"), ("math", "floor"), ("json", "loads"), ("json", "dumps"),
    ("random", "choice"), ("random", "shuffle"), ("time", "sleep"), ("copy", "deepcopy"),
)  # fmt: skip


def names(rng: Random) -> dict[str, str]:
    a, b = rng.sample(PARAMETERS, 2)
    noun, kind = rng.choice(NOUNS), rng.choice(TYPES)
    module, function = rng.choice(MODULES)
    return {
        "verb": rng.choice(VERBS),
        "noun": noun,
        "Noun": noun.capitalize(),
        "total": rng.choice(TOTALS),
        "a": a,
        "b": b,
        "type": kind,
        "empty": EMPTY[kind],
        "number": str(rng.randrange(2, 20)),
        "number2": str(rng.randrange(20, 100)),
        "module": module,
        "function": function,
    }


def function_document(rng: Random, split: Split) -> Document:
    while True:
        template = choose(rng, split, TEMPLATES)
        if split == "train" and rng.random() < 0.6:
            template = more.expanded(rng, rng.choice((*more.CODE, *more.WIDE_CODE)))
        entities = names(rng)
        if belongs(split, {name: entities[name] for name in fields(template)}):
            return unmark(template.format(**entities), "code")
