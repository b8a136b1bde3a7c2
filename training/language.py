"""The words and phrasings of Crumb's tasks, as language.json lists them (TASKS.md explains them)."""

import json
import random
from pathlib import Path

FILE = Path(__file__).parent.parent / "eval/src/main/resources/dev/layercake/eval/language.json"
HALVES = ("train", "heldout")


def load(file=FILE):
    """The parsed language; every pool and list of phrasings has the halves of HALVES."""
    return json.loads(Path(file).read_text(encoding="utf-8"))


def single_tokens(language):
    """Every word that has to be one token, with the space before it."""
    words = [word for pool in language["pools"].values() for half in HALVES for word in pool[half]]
    words += language["attributes"] + [attribute + "s" for attribute in language["attributes"]]
    return [" " + word for word in dict.fromkeys(words)] + [" " + digit for digit in "0123456789"]


def other_words(language, vocabulary):
    """Words that are one token with the space before them and belong to no held-out pool, from a tokenizer's vocabulary."""
    heldout = {word for pool in language["pools"].values() for word in pool["heldout"]}
    words = {token[1:] for token in vocabulary if token[0] == "\u0120" and token[1:].isascii() and token[1:].isalpha()}
    return sorted(word for word in words - heldout if len(word) > 2)


class Words:
    """Draws words for one text: never the same one twice in one role."""

    def __init__(self, language, rng: random.Random, half, invented=0.0, any_words=(), any_share=0.0):
        """Two ways out of the pools, for training only: `invented` is how often a name or town is made of syllables,
        `any_share` how often a word of any pool is one of any_words instead."""
        self.language, self.rng, self.half, self.invented = language, rng, half, invented
        self.any_words, self.any_share = any_words, any_share
        self.taken = set()
        self.attribute = rng.choice(language["attributes"])

    def draw(self, role):
        """A word of a role: name, town, key, trade, colour, thing, number, possession or label."""
        for _ in range(1000):
            word = self._any(role)
            if (role, word) not in self.taken:
                self.taken.add((role, word))
                return word
        raise ValueError(f"no unused {role} is left")

    def left(self, role):
        """How many words of a pool are still unused."""
        return sum((role, word) not in self.taken for word in self.language["pools"][role][self.half])

    def _any(self, role):
        rng = self.rng
        if role == "number":
            numbers = self.language["numbers"]
            digits = rng.choice(numbers["digits"][self.half])
            return rng.choice(numbers["firstDigit"]) + "".join(
                rng.choice(numbers["otherDigits"]) for _ in range(digits - 1))
        if role in ("possession", "label"):
            return self._pool("colour") + " " + self._pool("thing")
        if role in ("name", "town") and rng.random() < self.invented:
            return self._invented()
        return self._pool(role)

    def _pool(self, role):
        if self.any_share and self.rng.random() < self.any_share:
            return self.rng.choice(self.any_words)
        return self.rng.choice(self.language["pools"][role][self.half])

    def _invented(self):
        parts, rng = self.language["syllables"], self.rng
        count = rng.choice(parts["count"])
        word = "".join(rng.choice(parts["onset"]) + rng.choice(parts["vowel"]) for _ in range(count))
        return (word + rng.choice(parts["coda"])).capitalize()


def filler_sentence(language, rng, half):
    """A generated sentence without a space before it."""
    template = rng.choice(language["filler"]["templates"][half])
    pools = language["filler"]["pools"]
    pieces, rest = [], template
    while "{" in rest:
        before, _, after = rest.partition("{")
        slot, _, rest = after.partition("}")
        word = rng.choice(pools[slot][half])
        if word[0] in "aeiou" and (before.lower() == "a " or before.lower().endswith(" a ")):
            before = before[:-1] + "n "
        pieces += (before, word)
    return "".join(pieces) + rest
