"""Packs a corpus of plain text files for training: tokenizer.json, and per half one array of tokens cut into sentences.

    python3 training/pack.py --train FOLDER --heldout FOLDER --out training/work --vocabulary 2048
"""

import argparse
import random
import re
from pathlib import Path

import numpy as np

import language
import vocabulary

SENTENCE_END = re.compile(r'(?<=[.!?]) (?=[A-Z"])|(?<=[.!?]") (?=[A-Z"])')
QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": "-", "–": "-", "_": None, "*": None})


def texts(folder, characters, seed):
    """Texts of a folder in seeded order, white space single, front and back matter cut off, up to a number of characters."""
    files = sorted(Path(folder).rglob("*.txt"))
    random.Random(seed).shuffle(files)
    for file in files:
        text = file.read_text(encoding="utf-8", errors="ignore").translate(QUOTES)
        text = re.sub(r"\s+", " ", text[len(text) // 20: len(text) * 19 // 20][:600_000])
        yield text
        characters -= len(text)
        if characters <= 0:
            return


def sentences(text):
    """Sentences of 13 to 399 characters, each with a space before it."""
    return [" " + each for each in SENTENCE_END.split(text) if 12 < len(each) < 400]


def pack(name, all_texts, encoder, out):
    arrays, lengths = [], []
    for text in all_texts:
        for sentence in sentences(text):
            tokens = encoder(sentence)
            lengths.append(len(tokens))
            arrays.append(np.asarray(tokens, np.uint16))
    np.save(out / f"{name}_tokens.npy", np.concatenate(arrays))
    np.save(out / f"{name}_offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return sum(lengths)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True)
    parser.add_argument("--heldout", required=True)
    parser.add_argument("--out", default="training/work")
    parser.add_argument("--vocabulary", type=int, default=2048)
    parser.add_argument("--characters", type=int, default=24_000_000, help="how much of the training text to take")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    train = list(texts(options.train, options.characters, options.seed))
    sample = " ".join(text[:60_000] for text in train)
    tokenizer = vocabulary.train(sample, language.single_tokens(language.load()), options.vocabulary)
    tokenizer.save(str(out / "tokenizer.json"))
    encoder = vocabulary.load(out / "tokenizer.json")
    count = pack("train", train, encoder, out)
    print(f"train: {len(train)} texts, {count} tokens, {sum(map(len, train)) / count:.2f} characters per token")
    heldout = list(texts(options.heldout, 4_000_000, options.seed))
    count = pack("heldout", heldout, encoder, out)
    print(f"heldout: {len(heldout)} texts, {count} tokens, {sum(map(len, heldout)) / count:.2f} characters per token")


if __name__ == "__main__":
    main()
