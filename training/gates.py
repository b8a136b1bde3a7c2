"""Trains attention gates for a frozen Crumb (Attention-Gate, Zeng et al., arXiv 2410.12876): which entries may be dropped.

    python3 training/gates.py --model models/crumb --data training/work --out models/crumb-gates/gates.safetensors

In each layer a small attention of its own, from the normalised hidden states, without rotary embedding and over the whole prompt,
gives every token and KV head a score; what does not exceed the threshold is hidden from all other tokens and not cached. The model's
weights do not change. Loss: cross entropy of the answers (a tenth of it for other text) plus, per layer, |mean score - target|. The threshold is
hard; its gradient is that of the score (straight-through). Gates start open (bias 4), and the target falls from 1 to --keep over the first
two thirds: pulled down at once, all scores of a layer cross the threshold together before they differ. What is drawn depends on the
seed and the step alone; the end is when --minutes of processor time are over or --steps are done.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import language
import vocabulary
from evaluate import wilson
from export import load
from sequences import ANSWER, TEXT, Prose, Sequences, seeded
from tasks import FAMILIES
from transformer import rotate

SMALLEST_MARGIN = 1e-4  # between a score and the threshold in the golden prompts: less would make the test a coin toss
OPEN = 4.0  # bias of new gates: a score of 0.98
LENGTHS = (192, 256, 256, 384)
TOKENS_PER_STEP = 512
FALL = 2 / 3  # of the training, in which the target falls


class Gate(nn.Module):
    """One layer's gate: the logits [batch, time, kvHeads] of hidden states [batch, time, hidden]."""

    def __init__(self, hidden, kv_heads, heads, dim):
        super().__init__()
        self.heads, self.dim = heads, dim
        self.wq = nn.Parameter(torch.randn(heads * dim, hidden) * hidden ** -0.5)
        self.wk = nn.Parameter(torch.randn(heads * dim, hidden) * hidden ** -0.5)
        self.wv = nn.Parameter(torch.randn(heads * dim, hidden) * hidden ** -0.5)
        self.wo = nn.Parameter(torch.randn(kv_heads, heads * dim) * 0.1 * (heads * dim) ** -0.5)
        self.bias = nn.Parameter(torch.full((kv_heads,), OPEN))

    def forward(self, x, prompt):
        """`prompt` [batch, time] says which tokens are read; the gates see no others."""
        batch, length, _ = x.shape
        query, key, value = (F.linear(x, weight).view(batch, length, self.heads, self.dim).transpose(1, 2)
                             for weight in (self.wq, self.wk, self.wv))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=prompt[:, None, None, :])
        return F.linear(mixed.transpose(1, 2).reshape(batch, length, -1), self.wo, self.bias)


class Gates(nn.Module):
    def __init__(self, shape, heads=4, dim=16, threshold=0.5):
        super().__init__()
        self.shape, self.heads, self.dim, self.threshold = shape, heads, dim, threshold
        self.layers = nn.ModuleList([Gate(shape.hidden, shape.kv_heads, heads, dim) for _ in range(shape.layers)])

    def write(self, path):
        """BF16 tensors layers.N.gate.{wq,wk,wv,wo,bias}, all numbers that describe them as metadata."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {f"layers.{layer}.gate.{name}": value.detach().to(torch.bfloat16).contiguous()
                   for layer, gate in enumerate(self.layers) for name, value in gate.named_parameters()}
        save_file(tensors, path, metadata={"nG": str(self.heads), "dG": str(self.dim), "tau": str(self.threshold),
                                           "causal": "false", "perKvHead": "true"})
        path.chmod(0o644)

    @staticmethod
    def read(path, shape):
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            gates = Gates(shape, int(metadata["nG"]), int(metadata["dG"]), float(metadata["tau"]))
            gates.load_state_dict({name.replace(".gate.", "."): file.get_tensor(name).float() for name in file.keys()})
        return gates.eval()


def gated(model, gates, tokens, prompt):
    """The normalised hidden states of tokens [batch, time] and, per layer, the scores [batch, time, kvHeads]."""
    cosine, sine = model._rotary(tokens.shape[1], torch.float32, tokens.device)
    x, scores = model.model.embed_tokens(tokens), []
    for layer, gate in zip(model.model.layers, gates.layers):
        normed = layer.input_layernorm(x)
        score = torch.sigmoid(gate(normed, prompt))
        passed = (score > gates.threshold).float() + score - score.detach()
        passed = torch.where(prompt[:, :, None], passed, 1.0)
        x = x + attend(layer.self_attn, normed, cosine, sine, passed)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
        scores.append(score)
    return model.model.norm(x), scores


def attend(attention, x, cosine, sine, passed):
    """Causal attention in which a key counts as much as `passed` [batch, time, kvHeads] says, for its own token fully."""
    shape, (batch, length, _) = attention.shape, x.shape
    heads, kv_heads, dim = shape.heads, shape.kv_heads, shape.head_dim
    query = rotate(attention.q_proj(x).view(batch, length, heads, dim).transpose(1, 2), cosine, sine)
    key = rotate(attention.k_proj(x).view(batch, length, kv_heads, dim).transpose(1, 2), cosine, sine)
    value = attention.v_proj(x).view(batch, length, kv_heads, dim).transpose(1, 2)
    query = (query * dim ** -0.5).reshape(batch, kv_heads, heads // kv_heads, length, dim)
    logits = query @ key[:, :, None].transpose(-1, -2)
    future = torch.full((length, length), float("-inf")).triu_(1)
    weights = torch.softmax(logits + future, -1)
    own = torch.eye(length)
    weights = weights * torch.maximum(passed.transpose(1, 2)[:, :, None, None, :], own)
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-20)
    mixed = (weights @ value[:, :, None]).view(batch, heads, length, dim)
    return attention.o_proj(mixed.transpose(1, 2).reshape(batch, length, heads * dim))


def rows(samples):
    """Tokens, which of them are prompt, and what each counts in the loss, all [batch, time]."""
    length = max(len(prompt) + len(answer) for prompt, answer in samples)
    tokens = torch.zeros(len(samples), length, dtype=torch.long)
    prompt, weights = torch.zeros(len(samples), length, dtype=torch.bool), torch.zeros(len(samples), length)
    for row, (asked, answer) in enumerate(samples):
        end = len(asked) + len(answer)
        tokens[row, :end] = torch.tensor(asked + answer)
        prompt[row, :len(asked)] = True
        weights[row, 1:len(asked)] = TEXT
        weights[row, len(asked):end] = ANSWER
    return tokens, prompt, weights


def draw(sequences, seed, step):
    rng = seeded("gates", seed, step)
    length = rng.choice(LENGTHS)
    return [sequences.evaluation(rng, rng.choice(FAMILIES), length, generated=rng.random() < 0.5)
            for _ in range(max(1, TOKENS_PER_STEP // length))]


def loss(model, gates, samples, target, pressure):
    """The loss, its part from the answers, and the share of prompt entries that pass."""
    tokens, prompt, weights = rows(samples)
    hidden, scores = gated(model, gates, tokens, prompt)
    asked = weights[:, 1:] > 0
    logits = model.lm_head(hidden[:, :-1][asked])
    each = F.cross_entropy(logits, tokens[:, 1:][asked], reduction="none")
    counted = weights[:, 1:][asked]
    answers = (each * (counted == ANSWER)).sum() / (counted == ANSWER).sum()
    surprise = answers + TEXT * (each * (counted == TEXT)).sum() / (counted == TEXT).sum()
    kept = torch.stack([(score[prompt] > gates.threshold).float().mean() for score in scores]).mean()
    distance = sum((score[prompt].mean() - target).abs() for score in scores)
    return surprise + pressure * distance, answers.item(), kept.item()


def train(model, gates, sequences, options):
    """Trains until the steps are done or the time is over; returns the losses."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.AdamW(gates.parameters(), lr=options.rate, weight_decay=0.0)
    start, losses = time.process_time(), []
    for step in range(options.steps):
        share = max((step + 1) / options.steps, (time.process_time() - start) / (60 * options.minutes))
        if share >= 1 and step + 1 < options.steps:
            break
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1.0, (step + 1) / 10) * min(1.0, max(0.0, 1 - share) / 0.3 + 0.02)
        target = 1 - (1 - options.keep) * min(1.0, share / FALL)
        value, answers, kept = loss(model, gates, draw(sequences, options.seed, step), target, options.pressure)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(gates.parameters(), 1.0)
        optimizer.step()
        losses.append(value.item())
        if options.verbose and (step % 20 == 0 or step + 1 == options.steps):
            print(f"step {step:5} loss {value.item():.3f} answers {answers:.3f} kept {100 * kept:.1f} % "
                  f"{time.process_time() - start:.0f} s", flush=True)
    return losses


@torch.no_grad()
def right(model, gates, prompt, answer):
    """Whether greedy decoding answers exactly, and the share of prompt entries that pass."""
    tokens, mask, _ = rows([(prompt, answer)])
    hidden, scores = gated(model, gates, tokens, mask)
    said = model.lm_head(hidden[0, len(prompt) - 1:len(prompt) + len(answer) - 1]).argmax(-1).tolist()
    kept = [(score[mask] > gates.threshold).float().mean().item() for score in scores]
    return said == answer, kept


def evaluate(model, gates, sequences, lengths, count):
    """Right answers under open gates (which is `full`) and under these, and what passes, per length and family."""
    opened = Gates(model.shape, gates.heads, gates.dim)
    for length in lengths:
        layers = torch.zeros(model.shape.layers)
        for family in FAMILIES:
            samples = [sequences.evaluation(seeded("gates held out", family, length, index), family, length,
                                            depth=(index + 0.5) / count, generated=True) for index in range(count)]
            full = sum(right(model, opened, *sample)[0] for sample in samples)
            results = [right(model, gates, *sample) for sample in samples]
            good = sum(result for result, _ in results)
            kept = torch.tensor([shares for _, shares in results]).mean(0)
            layers += kept / len(FAMILIES)
            low, high = wilson(good, count)
            print(f"{length:5} {family:10} full {full:3}/{count}  gates {good:3}/{count} ({100 * low:.0f}-{100 * high:.0f})"
                  f"  kept {100 * kept.mean():.1f} %", flush=True)
        print(f"{length:5} kept by layer: " + " ".join(f"{100 * share:.0f}" for share in layers) + " %", flush=True)


@torch.no_grad()
def golden(model, sequences, out):
    """Random gates, and their scores and the last logits of two prompts, for the engine's golden test."""
    gates = Gates(model.shape, 2, 8)
    for gate in gates.layers:
        gate.wo.mul_(30)
        gate.bias.normal_(0.5, 0.5)
    gates.write(out / "gates.safetensors")
    gates = Gates.read(out / "gates.safetensors", model.shape)
    cases = []
    for family, length in (("needle", 60), ("several", 200)):
        for attempt in range(200):
            prompt, _ = sequences.evaluation(seeded("gates golden", family, attempt), family, length, generated=True)
            tokens = torch.tensor([prompt])
            hidden, scores = gated(model, gates, tokens, torch.ones_like(tokens, dtype=torch.bool))
            scores = torch.stack(scores)[:, 0]
            margin = (scores - gates.threshold).abs().min().item()
            if margin >= SMALLEST_MARGIN:
                break
        else:
            raise SystemExit(f"{family}: no text without a score at the threshold")
        scores.numpy().astype("<f4").tofile(out / f"{family}.scores.f32")
        model.lm_head(hidden[0, -1]).numpy().astype("<f4").tofile(out / f"{family}.logits.f32")
        cases.append({"name": family, "prompt": prompt})
        share = (scores > gates.threshold).float().mean()
        print(f"{family}: {len(prompt)} tokens, {100 * share:.1f} % pass, smallest margin {margin:.1e}")
    (out / "cases.json").write_text(json.dumps({"cases": cases}) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/crumb")
    parser.add_argument("--data", default="training/work", help="folder that pack.py wrote")
    parser.add_argument("--out", default="models/crumb-gates/gates.safetensors")
    parser.add_argument("--keep", type=float, default=0.5, help="mean score that each layer is pulled to")
    parser.add_argument("--pressure", type=float, default=1.0, help="weight of that")
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=20, help="of processor time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true", help="do not train: measure what --out holds")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--lengths", default="512")
    parser.add_argument("--golden", help="do not train: write random gates and numbers for the engine's test to this folder")
    options = parser.parse_args()
    options.verbose = True
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    model = load(options.model)
    encoder = vocabulary.load(Path(options.model) / "tokenizer.json")
    words = language.load()
    heldout = Sequences(words, encoder, None, "heldout")
    if options.evaluate:
        evaluate(model, Gates.read(options.out, model.shape), heldout, map(int, options.lengths.split(",")), options.samples)
    elif options.golden:
        golden(model, heldout, Path(options.golden))
    else:
        gates = Gates(model.shape)
        losses = train(model, gates, Sequences(words, encoder, Prose(options.data, "train"), "train"), options)
        gates.write(options.out)
        print(f"{options.out}: {len(losses)} steps, loss {losses[0]:.3f} to {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
