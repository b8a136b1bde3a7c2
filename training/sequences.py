"""Token sequences: tasks planted in filler, drills on random tokens, and plain prose."""

import random

import numpy as np

import tasks
from language import Words, filler_sentence, other_words
from vocabulary import ASSISTANT, BOS, END, SPECIALS, USER

DRILLS = ("repeat", "pairs", "prose")
ANSWER, TEXT = 1.0, 0.1  # what an answer token and a token of other text count in the loss


class Prose:
    """Sentences of a packed corpus."""

    def __init__(self, folder, half):
        self.tokens = np.load(f"{folder}/{half}_tokens.npy", mmap_mode="r")
        self.offsets = np.load(f"{folder}/{half}_offsets.npy")

    def sentences(self, rng):
        """Consecutive sentences from a random place, as lists of tokens."""
        index = rng.randrange(len(self.offsets) - 1)
        while True:
            start, end = self.offsets[index], self.offsets[index + 1]
            yield self.tokens[start:end].tolist()
            index = (index + 1) % (len(self.offsets) - 1)

    def passage(self, rng, length):
        start = rng.randrange(len(self.tokens) - length)
        return self.tokens[start:start + length].tolist()


class Sequences:
    """Makes sequences of one half of the language; everything random comes from the generator given to each call."""

    def __init__(self, language, encoder, prose, half):
        self.language, self.encode, self.prose, self.half = language, encoder, prose, half
        self.words = other_words(language, encoder.tokenizer.get_vocab())
        self.every_word = self.words + [word for pool in language["pools"].values() for word in pool["heldout"]]

    def evaluation(self, rng, family, length, *, phrasing="train", first=False, depth=None, generated=False,
                   invented=0.0):
        """One question about a text of at most `length` tokens: (prompt tokens, answer tokens with the end token)."""
        count = tasks.units(self.language, family, length)
        while True:
            words = Words(self.language, rng, self.half, invented)
            task = tasks.make(self.language, family, words, rng, phrasing, count)
            question = task.questions[0]
            answer = self.encode(question.answer) + [END]
            ask = self.encode(question.text)
            frame = 3 + len(ask) * (2 if first else 1) + len(answer)
            text = self._text(rng, task.planted, length - frame, generated, question.asked[0], depth)
            if text is not None:
                return [BOS, USER] + (ask if first else []) + text + ask + [ASSISTANT], answer
            count = max(1, count * 3 // 4)

    def training(self, rng, family, length):
        """A sequence and the weight of every token in the loss; with as many questions as fit into a third of it."""
        if family == "repeat":
            return self._repeat(rng, length)
        if family == "pairs":
            return self._pairs(rng, length)
        if family == "prose":
            tokens = [BOS] + self.prose.passage(rng, length - 1)
            return tokens, [TEXT] * len(tokens)
        most = max(1, min(length // 24, 48))
        count = rng.randint(1, most) if rng.random() < 0.7 else tasks.units(self.language, family, length)
        invented = rng.choice((0.0, 0.0, 1.0)) if family == "needle" else rng.choice((0.0, 0.0, 0.0, 0.3))
        any_share = rng.choice((0.0, 0.5, 1.0, 1.0))
        sentence = (lambda: self._sentence(rng)) if rng.random() < 0.75 else None
        while True:
            words = Words(self.language, rng, self.half, invented, self.words, any_share)
            task = tasks.make(self.language, family, words, rng, "train", min(count, LIMIT[family]), sentence)
            planted = sum(len(self.encode(each)) for each in task.planted)
            room = min(length - 2 - planted, max(length // 3, 40))
            tail, weights, first = [], [], []
            for question in task.questions:
                ask, answer = self.encode(question.text), self.encode(question.answer) + [END]
                extra = len(ask) if not tail and length >= 256 and rng.random() < 0.2 else 0
                if len(tail) + len(ask) + len(answer) + 2 + extra > room:
                    break
                if extra:
                    first, room = ask, room - extra
                lead = [USER] * bool(tail)
                tail += lead + ask + [ASSISTANT] + answer
                weights += [TEXT / 2] * (len(lead) + len(ask) + 1) + [ANSWER] * len(answer)
            generated = rng.random() < 0.35
            text = None
            if tail:
                text = self._text(rng, task.planted, length - 2 - len(first) - len(tail), generated)
            if text is not None:
                lead = [BOS, USER] + first + text
                return lead + tail, [TEXT] * len(lead) + weights
            if count == 1:
                return self.training(rng, "needle", length)
            count = max(1, count * 2 // 3)

    def _text(self, rng, planted, room, generated, asked=0, depth=None):
        """Planted sentences at random sentence boundaries of as much filler as there is room for; None without room."""
        planted = [self.encode(each) for each in planted]
        room -= sum(map(len, planted))
        if room < 0:
            return None
        filler = []
        for sentence in self._filler(rng, generated):
            if len(sentence) > room:
                break
            filler.append(sentence)
            room -= len(sentence)
        places = [rng.randint(0, len(filler)) for _ in planted]
        if depth is not None:
            places[asked] = round(depth * len(filler))
        order = sorted(range(len(planted)), key=lambda index: (places[index], rng.random()))
        text, next_place = [], 0
        for index in order:
            for sentence in filler[next_place:places[index]]:
                text += sentence
            next_place = places[index]
            text += planted[index]
        for sentence in filler[next_place:]:
            text += sentence
        return text

    def _filler(self, rng, generated):
        if not generated:
            yield from self.prose.sentences(rng)
        while True:
            yield self.encode(" " + filler_sentence(self.language, rng, self.half))

    def _sentence(self, rng):
        """For a paragraph: a sentence of prose, or a drill: words in no order, any that are one token."""
        if rng.random() < 0.5:
            return " ".join(rng.choice(self.every_word) for _ in range(rng.randint(4, 14))) + "."
        for tokens in self.prose.sentences(rng):
            if len(tokens) <= 28:
                return self.encode.tokenizer.decode(tokens).strip()

    def _repeat(self, rng, length):
        """A run of random tokens again and again."""
        size = rng.randint(8, max(9, min(length // 2 - 2, 120)))
        run = [rng.randrange(len(SPECIALS), self.vocabulary) for _ in range(size)]
        tokens, weights = [BOS], [0.0]
        while len(tokens) < length:
            tokens += run
            weights += [0.0 if len(weights) == 1 else 0.5] * size
        return tokens[:length], weights[:length]

    def _pairs(self, rng, length):
        """Random keys, each followed by the same few random tokens every time."""
        between = [self._random(rng) for _ in range(rng.choice((0, 0, 1, 2)))]
        keys = rng.sample(range(len(SPECIALS), self.vocabulary), rng.randint(2, max(3, length // 10)))
        size = rng.choice((1, 2, 4))
        values = {key: [self._random(rng) for _ in range(size)] for key in keys}
        tokens, weights, seen = [BOS], [0.0], set()
        while len(tokens) < length:
            key = rng.choice(keys)
            tokens += [key, *between, *values[key]]
            weights += [0.0] * (1 + len(between)) + [0.5 if key in seen else 0.0] * size
            seen.add(key)
        return tokens[:length], weights[:length]

    def _random(self, rng):
        return rng.randrange(len(SPECIALS), self.vocabulary)

    @property
    def vocabulary(self):
        return self.encode.tokenizer.get_vocab_size()


# How many units the pools of the training half allow.
LIMIT = {"needle": 40, "several": 64, "lookup": 96, "hops": 40, "tracking": 32, "paragraph": 40, "labels": 8,
         "record": 40}


def batch(sequences, rng, families, count, length):
    """Arrays [count, length] of tokens and weights, and the family of each row; short rows end with weight zero."""
    tokens = np.zeros((count, length), np.int64)
    weights = np.zeros((count, length), np.float32)
    names = rng.choices(list(families), list(families.values()), k=count)
    for row, family in enumerate(names):
        ids, weight = sequences.training(rng, family, length)
        tokens[row, :len(ids)] = ids
        weights[row, :len(weight)] = weight
    return tokens, weights, names


def seeded(*parts):
    """A generator for the text form of the parts: the same on every machine."""
    return random.Random("/".join(map(str, parts)))
