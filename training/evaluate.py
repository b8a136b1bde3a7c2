"""Accuracy per family and length with Wilson intervals, and held-out perplexity, of an exported Crumb.

    python3 training/evaluate.py --model models/crumb --data training/work --lengths 512,1024,2048 --samples 100
"""

import argparse
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

import language
import vocabulary
from export import load
from sequences import Prose, Sequences, seeded
from tasks import FAMILIES
from vocabulary import BOS


def wilson(right, count, z=1.96):
    """The 95 % interval of a share."""
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


@torch.no_grad()
def exact(model, samples, dtype, tokens_per_batch=16384):
    """Which samples greedy decoding answers exactly.

    Every token of the answer is the argmax after the right tokens before it: the same as greedy decoding saying the answer.
    """
    device = model.lm_head.weight.device
    order = sorted(range(len(samples)), key=lambda index: len(samples[index][0]) + len(samples[index][1]))
    right = [False] * len(samples)
    while order:
        size = max(1, tokens_per_batch // (len(samples[order[-1]][0]) + len(samples[order[-1]][1])))
        rows, order = order[-size:], order[:-size]
        length = max(len(samples[row][0]) + len(samples[row][1]) for row in rows)
        tokens = torch.zeros(len(rows), length, dtype=torch.long)
        for index, row in enumerate(rows):
            ids = samples[row][0] + samples[row][1]
            tokens[index, :len(ids)] = torch.tensor(ids)
        hidden = model(tokens.to(device), dtype)
        for index, row in enumerate(rows):
            prompt, answer = samples[row]
            said = model.lm_head(hidden[index, len(prompt) - 1:len(prompt) + len(answer) - 1]).argmax(-1).tolist()
            right[row] = said == answer
    return right


def sample(sequences, family, length, count, seed=7, **layout):
    """Evaluation samples, the first asked sentence at evenly spaced depths."""
    return [sequences.evaluation(seeded(seed, family, length, index, sorted(layout.items())), family, length,
                                 depth=(index + 0.5) / count, **layout) for index in range(count)]


@torch.no_grad()
def perplexity(model, prose, dtype, windows=32, length=1024):
    """Of held-out text, exp of the mean cross entropy per token, over evenly spaced contiguous windows."""
    device, total, count = model.lm_head.weight.device, 0.0, 0
    for index in range(windows):
        start = (len(prose.tokens) - length) * index // max(1, windows - 1)
        ids = torch.tensor([[BOS] + prose.tokens[start:start + length - 1].tolist()], device=device)
        logits = model.lm_head(model(ids, dtype)[0, :-1]).float()
        total += F.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        count += length - 1
    return math.exp(total / count), count


def figure(family, layout, length, right):
    """One cell of the table, printed; byDepth counts right answers in five equal parts of the text."""
    low, high = wilson(sum(right), len(right))
    print(f"{layout:20} {length:5} {family:10} {sum(right):4}/{len(right)} {100 * sum(right) / len(right):5.1f} % "
          f"({100 * low:.0f}-{100 * high:.0f})", flush=True)
    fifth = [right[part * len(right) // 5:(part + 1) * len(right) // 5] for part in range(5)]
    return {"family": family, "layout": layout, "tokens": length, "right": sum(right), "samples": len(right),
            "low": round(low, 3), "high": round(high, 3), "byDepth": [[sum(each), len(each)] for each in fifth]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/crumb")
    parser.add_argument("--data", default="training/work", help="folder that pack.py wrote")
    parser.add_argument("--lengths", default="512,1024,2048")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--other-length", type=int, default=1024, help="where the other layouts are measured")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", help="JSON file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # far attention weights are denormal numbers, a hundred times slower on some processors
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load(options.model).to(device)
    encoder = vocabulary.load(Path(options.model) / "tokenizer.json")
    prose = Prose(options.data, "heldout")
    sequences = Sequences(language.load(), encoder, prose, "heldout")
    other = options.other_length
    lengths = [int(length) for length in options.lengths.split(",")]
    plan = [("question at the end", {}, lengths, FAMILIES), ("question first", {"first": True}, [other], FAMILIES),
            ("held-out phrasing", {"phrasing": "heldout"}, [other], FAMILIES),
            ("generated filler", {"generated": True}, [other], FAMILIES),
            ("invented names", {"invented": 1.0}, [other], ("needle", "several"))]
    figures = []
    for name, layout, at, families in plan:
        for length in at:
            for family in families:
                samples = sample(sequences, family, length, options.samples, **layout)
                figures.append(figure(family, name, length, exact(model, samples, torch.float32)))
    value, count = perplexity(model, prose, torch.float32)
    print(f"held-out perplexity {value:.2f} per token over {count} tokens")
    if options.out:
        Path(options.out).write_text(json.dumps({"accuracy": figures, "perplexity": value, "tokens": count}, indent=1))


if __name__ == "__main__":
    main()
