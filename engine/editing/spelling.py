"""Words of the vocabulary that are spelled much like a given one."""

from __future__ import annotations

from engine.text.tokenizer import Tokenizer

FAR = 8  # letters from which on a word may differ in one more
MOST = 2


def near_ids(tokenizer: Tokenizer, word: str, head: str) -> list[int]:
    """Ids whose text is `head` and a word like `word`, but not the word itself.

    The first letter keeps its case.
    """
    limit = MOST + (len(word) >= FAR)
    letters = frozenset(word.casefold())
    found = []
    for token, piece in tokenizer.vocabulary:
        if not piece.startswith(head):
            continue
        other = piece[len(head) :]
        if (
            abs(len(other) - len(word)) <= limit
            and len(other) > 1
            and other != word
            and other[0].isupper() == word[0].isupper()
            and other.replace("'", "").isalpha()
            and len(letters ^ frozenset(other.casefold())) <= 2 * limit
            and distance(word.casefold(), other.casefold(), limit) <= limit
        ):
            found.append(token)
    return found


def distance(first: str, second: str, limit: int) -> int:
    """Letters to insert, remove, replace or swap with a neighbour (optimal string alignment).

    Anything above `limit` is only said to be above it.
    """
    before, row = list[int](), list(range(len(second) + 1))
    for i, own in enumerate(first, 1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(second, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (own != other))
            if i > 1 and j > 1 and own == second[j - 2] and first[i - 2] == other:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > limit and min(before) > limit:
            return limit + 1
    return row[-1]
