"""Writes what PyTorch computes on a few texts with an exported Crumb, for the engine's golden test.

    python3 training/golden.py --model models/crumb --out model/src/test/resources/golden/crumb

Weights as exported (BF16), arithmetic in float32. Per case: the tokens, the logits at the last positions of the prompt (raw
float32, little-endian, row after row) and the greedy tokens that follow. The texts are generated, filler and all.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch

import language
import vocabulary
from export import load
from sequences import Sequences, seeded

CASES = (("needle", 40), ("several", 300), ("record", 1100))
LAST_POSITIONS, GREEDY_TOKENS = 4, 16
SMALLEST_MARGIN = 0.02  # between the two best logits of every greedy token: less would make the test a coin toss


@torch.no_grad()
def greedy(model, prompt):
    """The tokens, and the smallest distance of a best logit from the second."""
    tokens, margin = list(prompt), float("inf")
    for _ in range(GREEDY_TOKENS):
        logits = model.lm_head(model(torch.tensor([tokens]), torch.float32)[0, -1])
        best = logits.topk(2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        tokens.append(best.indices[0].item())
    return tokens[len(prompt):], margin


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/crumb")
    parser.add_argument("--out", default="model/src/test/resources/golden/crumb")
    options = parser.parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    model = load(options.model)
    encoder = vocabulary.load(Path(options.model) / "tokenizer.json")
    sequences = Sequences(language.load(), encoder, None, "heldout")
    cases = []
    for family, length in CASES:
        for attempt in range(20):
            prompt, _ = sequences.evaluation(seeded("golden", family, attempt), family, length, generated=True)
            following, margin = greedy(model, prompt)
            if margin >= SMALLEST_MARGIN:
                break
        else:
            raise SystemExit(f"{family}: no text without a near tie")
        hidden = model(torch.tensor([prompt]), torch.float32)[0, -LAST_POSITIONS:]
        model.lm_head(hidden).numpy().astype("<f4").tofile(out / f"{family}.f32")
        cases.append({"name": family, "prompt": prompt, "logits": f"{family}.f32", "positions": LAST_POSITIONS,
                      "greedy": following})
        print(f"{family}: {len(prompt)} tokens, smallest margin {margin:.3f}")
    digest = hashlib.sha256((Path(options.model) / "model.safetensors").read_bytes()).hexdigest()
    (out / "cases.json").write_text(json.dumps({"modelSha256": digest, "cases": cases}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
