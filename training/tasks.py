"""The eight families of tasks: what is planted in a text, what is asked, and what the answer is (TASKS.md)."""

from dataclasses import dataclass, field

from language import filler_sentence


@dataclass
class Question:
    text: str
    answer: str
    asked: list  # indices of the planted sentences it needs, the first one first


@dataclass
class Task:
    planted: list = field(default_factory=list)
    questions: list = field(default_factory=list)

    def plant(self, sentence):
        self.planted.append(sentence)
        return len(self.planted) - 1


FAMILIES = ("needle", "several", "lookup", "hops", "tracking", "paragraph", "labels", "record")


def units(language, family, tokens):
    """How many units a text of this length gets in an evaluation."""
    count = language["families"][family]["count"]
    return min(max(tokens // count["tokensPer"], count["min"]), count["max"])


def make(language, family, words, rng, phrasing, count, sentence=None):
    """A task of `count` units with a question about every one of them, in random order.

    `sentence` gives the sentences of paragraphs; without it they are generated.
    """
    maker = Maker(language["families"][family], words, rng, phrasing,
                  sentence or (lambda: filler_sentence(language, rng, words.half)))
    task = Task()
    getattr(maker, family)(task, count)
    rng.shuffle(task.questions)
    return task


class Maker:
    def __init__(self, family, words, rng, phrasing, sentence):
        self.family, self.words, self.rng, self.phrasing, self.sentence = family, words, rng, phrasing, sentence

    def pick(self, phrasings):
        return self.rng.choice(phrasings[self.phrasing])

    def needle(self, task, count):
        kinds = self.family["kinds"]
        for _ in range(count):
            kind = self.rng.choices(kinds, [each["weight"] for each in kinds])[0]
            values = {role: self.words.draw(pool) for role, pool in kind["words"].items()}
            values["attribute"] = self.words.attribute
            index = task.plant(self.pick(kind["facts"]).format(**values))
            task.questions.append(
                Question(self.pick(kind["questions"]).format(**values), kind["answer"].format(**values), [index]))

    def several(self, task, count):
        family, attribute = self.family, self.words.attribute
        facts = []
        for _ in range(count):
            fact = {"attribute": attribute, "name": self.words.draw("name"), "value": self.words.draw("number")}
            facts.append((fact, task.plant(self.pick(family["facts"]).format(**fact))))
        left = self.rng.sample(facts, len(facts))
        while left:
            asked = min(self.rng.choice(family["asked"]), len(left))
            group, left = left[:asked], left[asked:]
            indices = [index for _, index in group]
            if asked == 1:
                fact = group[0][0]
                task.questions.append(Question(self.pick(family["questionForOne"]).format(**fact),
                                               family["answerForOne"].format(**fact), indices))
                continue
            names = [fact["name"] for fact, _ in group]
            join = family["joinNames"]
            question = self.pick(family["questions"]).format(
                attribute=attribute, names=join["between"].join(names[:-1]) + join["last"] + names[-1])
            answer = family["joinAnswers"].join(family["answerPart"].format(**fact) for fact, _ in group)
            task.questions.append(Question(question, answer, indices))

    def lookup(self, task, count):
        for _ in range(count):
            values = {"key": self.words.draw("key"), "value": self.words.draw("number")}
            self._fact(task, values)

    def hops(self, task, count):
        family, attribute = self.family, self.words.attribute
        for _ in range(count):
            name, other, value = self.words.draw("name"), self.words.draw("name"), self.words.draw("number")
            link = {"attribute": attribute, "name": name, "other": other, "value": value}
            first = task.plant(self.pick(family["links"]).format(**link))
            fact = self.pick(family["facts"]).format(attribute=attribute, name=other, value=value)
            second = task.plant(fact)
            task.questions.append(Question(self.pick(family["questions"]).format(**link),
                                           family["answer"].format(**link), [first, second]))

    def tracking(self, task, count):
        family = self.family
        for _ in range(count):
            value = self.words.draw("number")
            keys = [self.words.draw("key") for _ in range(family["chain"])]
            indices = [task.plant(self.pick(family["starts"]).format(value=value, key=keys[0]))]
            for key, other in zip(keys, keys[1:]):
                indices.append(task.plant(self.pick(family["copies"]).format(key=key, other=other)))
            answer = family["joinAnswers"].join(family["answerPart"].format(key=key) for key in keys)
            task.questions.append(Question(self.pick(family["questions"]).format(value=value), answer, indices))

    def paragraph(self, task, count):
        for _ in range(count):
            self._fact(task, {"key": self.words.draw("key"), "sentence": self.sentence()})

    def labels(self, task, count):
        family, words = self.family, self.words
        examples = family["examplesPerLabel"]
        count = min(count, words.left("trade"), words.left("town") // (examples + 1))
        for _ in range(count):
            trade, label = words.draw("trade"), words.draw("label")
            indices = [task.plant(self.pick(family["facts"]).format(town=words.draw("town"), trade=trade, label=label))
                       for _ in range(examples)]
            question = self.pick(family["questions"]).format(town=words.draw("town"), trade=trade)
            task.questions.append(Question(question, family["answer"].format(label=label), indices))

    def record(self, task, count):
        for _ in range(count):
            draw = self.words.draw
            record = self.family["record"].format(
                name=draw("name"), town=draw("town"), trade=self.words._pool("trade"), value=draw("number"))
            self._fact(task, {"key": draw("key"), "record": record})

    def _fact(self, task, values):
        """One planted sentence and one question about it, both of the family's only kind."""
        index = task.plant(self.pick(self.family["facts"]).format(**values))
        task.questions.append(Question(self.pick(self.family["questions"]).format(**values),
                                       self.family["answer"].format(**values), [index]))
