"""Trains attention gates for a frozen Crumb (Attention-Gate, Zeng et al., arXiv 2410.12876): which entries may be dropped.

    python3 training/gates.py --model models/crumb --data training/work --out models/crumb-gates/gates.safetensors

In each layer a small attention of its own, from the normalised hidden states, without rotary embedding and over the whole prompt,
gives every token and KV head a score; what does not exceed the threshold is hidden from all other tokens and not cached. The model's
weights do not change. What is drawn depends on the seed and the step alone. Two stages, each ends after its minutes or steps:

1. Imitation, which the paper does not have: trained by the second stage alone, all scores of a layer crossed the threshold together
   before they differed. The full model says which entries an answer needs: an entry is worth the largest product of attention
   probabilities on a way from the answer's tokens down to it, through all layers. The gates learn by cross entropy whether that
   exceeds --cutoff. Then all biases are moved by the same amount, so that --keep of the entries pass.
2. The paper's training, left out unless it is given minutes: cross entropy of the answers (a tenth of it for other text) plus, per
   layer, |share that passes - target|, where the target is what passed at its beginning. The threshold is hard; its gradient is that
   of the score (straight-through).
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
from evaluate import exact, wilson
from export import load
from sequences import ANSWER, TEXT, Prose, Sequences, seeded
from tasks import FAMILIES
from transformer import rotate

SMALLEST_MARGIN = 1e-4  # between a score and the threshold in the golden prompts: less would make the test a coin toss
OPEN = 4.0  # bias of open gates: a score of 0.98
LENGTHS = (192, 256, 384, 512, 768, 1024)
TOKENS_PER_STEP = 1024
RUNNING = 30  # steps of a running mean
SMALLEST_WORTH = 0.01  # whatever an entry below it leads to is not followed


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
        hidden = torch.zeros(batch, 1, 1, length).masked_fill_(~prompt[:, None, None, :], float("-inf"))
        mixed = torch.softmax(torch.add(hidden, query @ key.transpose(-1, -2), alpha=self.dim ** -0.5), -1) @ value
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
        x = x + attend(layer.self_attn, normed, cosine, sine, passed)[0]
        x = x + layer.mlp(layer.post_attention_layernorm(x))
        scores.append(score)
    return model.model.norm(x), scores


def attend(attention, x, cosine, sine, passed=None):
    """Causal attention in which a key counts as much as `passed` [batch, time, kvHeads] says, for its own token fully.

    Also the probabilities [batch, kvHeads, group, time, time].
    """
    shape, (batch, length, _) = attention.shape, x.shape
    heads, kv_heads, dim = shape.heads, shape.kv_heads, shape.head_dim
    query = rotate(attention.q_proj(x).view(batch, length, heads, dim).transpose(1, 2), cosine, sine)
    key = rotate(attention.k_proj(x).view(batch, length, kv_heads, dim).transpose(1, 2), cosine, sine)
    value = attention.v_proj(x).view(batch, length, kv_heads, dim).transpose(1, 2)
    query = (query * dim ** -0.5).reshape(batch, kv_heads, heads // kv_heads, length, dim)
    logits = query @ key[:, :, None].transpose(-1, -2)
    future = torch.full((length, length), float("-inf")).triu_(1)
    weights = torch.softmax(logits + future, -1)
    if passed is not None:
        own = torch.eye(length)
        weights = weights * torch.maximum(passed.transpose(1, 2)[:, :, None, None, :], own)
        weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-20)
    mixed = (weights @ value[:, :, None]).view(batch, heads, length, dim)
    return attention.o_proj(mixed.transpose(1, 2).reshape(batch, length, heads * dim)), weights


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


def draw(sequences, stage, seed, step):
    rng = seeded(stage, seed, step)
    length = rng.choice(LENGTHS)
    return [sequences.evaluation(rng, rng.choice(FAMILIES), length, generated=rng.random() < 0.5,
                                 first=rng.random() < 0.15, invented=rng.choice((0.0, 0.0, 0.0, 1.0)))
            for _ in range(max(1, TOKENS_PER_STEP // length))]


@torch.no_grad()
def observe(model, tokens, asking):
    """What the full model does with tokens [batch, time]: per layer, the normalised hidden states and the worth of each entry.

    `asking` [batch, time] says whose predictions count. The worth [batch, time, kvHeads] of an entry is the largest product of attention
    probabilities on a way from one of those tokens, at the top, down to it; a way may stay at a token or go to one that it looks at.
    """
    cosine, sine = model._rotary(tokens.shape[1], torch.float32, tokens.device)
    x, states, attention = model.model.embed_tokens(tokens), [], []
    for layer in model.model.layers:
        normed = layer.input_layernorm(x)
        mixed, weights = attend(layer.self_attn, normed, cosine, sine)
        states.append(normed)
        attention.append(weights.amax(2))
        x = x + mixed
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    reached, worth = asking.float(), []
    own = torch.eye(tokens.shape[1], dtype=torch.bool)
    for weights in reversed(attention):
        near = (reached > SMALLEST_WORTH).any(0)
        ways = (weights[:, :, near] * reached[:, None, near, None]).masked_fill_(own[near], 0)
        worth.append(ways.amax(2).transpose(1, 2))
        reached = torch.maximum(reached, worth[-1].amax(2))
    return states, worth[::-1]


def asking(weights):
    """The tokens whose predictions are the answers, of the weights that `rows` gave."""
    return F.pad((weights == ANSWER)[:, 1:], (0, 1))


class Clock:
    """How far a stage is, from 0 to 1, by its steps and the processor time."""

    def __init__(self, steps, minutes, rate):
        self.steps, self.minutes, self.rate = steps, minutes, rate
        self.start, self.step = time.process_time(), 0

    def running(self):
        """Whether there is one more step; sets its learning rate, which falls over the last 60 %."""
        share = max(self.step / max(1, self.steps), self.seconds() / max(1e-9, 60 * self.minutes))
        self.step += 1
        self.now = self.rate * min(1.0, self.step / 20, max(0.0, 1 - share) / 0.6 + 0.01)
        return share < 1

    def seconds(self):
        return time.process_time() - self.start

    def report(self, text, verbose):
        if verbose and (self.step % 20 == 1 or self.step == self.steps):
            print(f"step {self.step:5} {self.seconds():4.0f} s  {text}", flush=True)


def advance(optimizer, gates, value, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    value.backward()
    nn.utils.clip_grad_norm_(gates.parameters(), 1.0)
    optimizer.step()


def imitate(model, gates, sequences, options):
    """Trains gates to say which entries are worth more than the cut-off; returns the losses."""
    with torch.no_grad():
        for gate in gates.layers:
            gate.wo.mul_(10)
            gate.bias.fill_(-1)
    optimizer = torch.optim.AdamW(gates.parameters(), lr=options.rate, weight_decay=0.0)
    clock, losses = Clock(options.steps, options.minutes, options.rate), []
    while clock.running():
        tokens, prompt, weights = rows(draw(sequences, "gates imitate", options.seed, clock.step))
        states, worth = observe(model, tokens, asking(weights))
        value, kept, found = 0.0, 0.0, []
        for gate, normed, each in zip(gates.layers, states, worth):
            needed = (each > options.cutoff)[prompt].float()
            logits = gate(normed, prompt)[prompt]
            value = value + F.binary_cross_entropy_with_logits(logits, needed, pos_weight=torch.tensor(options.weight))
            passed = logits.detach() > 0
            kept += passed.float().mean().item() / len(gates.layers)
            found.append((passed * needed).sum().item() / max(1, needed.sum().item()))
        advance(optimizer, gates, value, clock.now)
        losses.append(value.item())
        clock.report(f"loss {value.item():.3f} kept {100 * kept:.1f} %, of the needed by layer "
                     + " ".join(f"{100 * share:.0f}" for share in found), options.verbose)
    return losses


@torch.no_grad()
def settle(model, gates, sequences, options):
    """Moves all biases by the same amount so that the wanted share passes, on the full model's states; returns the layers' shares."""
    logits = [[] for _ in gates.layers]
    for step in range(options.settle):
        tokens, prompt, weights = rows(draw(sequences, "gates settle", options.seed, step))
        states, _ = observe(model, tokens, asking(weights))
        for each, gate, normed in zip(logits, gates.layers, states):
            each.append(gate(normed, prompt)[prompt])
    logits = [torch.cat(each) for each in logits]
    every = torch.cat(logits).flatten().sort().values
    cut = every[min(len(every) - 1, int((1 - options.keep) * len(every)))]
    for gate in gates.layers:
        gate.bias -= cut
    return [(each > cut).float().mean().item() for each in logits]


def loss(model, gates, samples):
    """The surprise at answers and text, its part from the answers, and the share of prompt entries that pass in each layer."""
    tokens, prompt, weights = rows(samples)
    hidden, scores = gated(model, gates, tokens, prompt)
    asked = weights[:, 1:] > 0
    logits = model.lm_head(hidden[:, :-1][asked])
    each = F.cross_entropy(logits, tokens[:, 1:][asked], reduction="none")
    counted = weights[:, 1:][asked]
    answers = (each * (counted == ANSWER)).sum() / (counted == ANSWER).sum()
    surprise = answers + TEXT * (each * (counted == TEXT)).sum() / (counted == TEXT).sum()
    shares = [((score[prompt] > gates.threshold).float() - score.detach()[prompt] + score[prompt]).mean() for score in scores]
    return surprise, answers.item(), torch.stack(shares)


def train(model, gates, sequences, targets, options):
    """The paper's training towards a share for each layer; returns the losses.

    Texts differ in what they need, so a layer's share is its running mean when it is compared with the target.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.AdamW(gates.parameters(), lr=options.tune_rate, weight_decay=0.0)
    clock, losses = Clock(options.tune_steps, options.tune_minutes, options.tune_rate), []
    targets = torch.tensor(targets)
    usual, missed = targets.clone(), 0.0
    while clock.running():
        surprise, answers, shares = loss(model, gates, draw(sequences, "gates tune", options.seed, clock.step))
        usual += (shares.detach() - usual) / min(clock.step + RUNNING / 2, RUNNING)
        missed += (answers - missed) / min(clock.step, RUNNING)
        value = surprise + options.pressure * ((usual - targets).sign() * shares).sum()
        advance(optimizer, gates, value, clock.now)
        losses.append(surprise.item() + options.pressure * (usual - targets).abs().sum().item())
        clock.report(f"loss {losses[-1]:.3f} answers {missed:.3f} kept {100 * usual.mean():.1f} %", options.verbose)
    return losses


@torch.no_grad()
def right(model, gates, prompt, answer):
    """Whether greedy decoding answers exactly, and the share of prompt entries that pass, by layer."""
    tokens, mask, _ = rows([(prompt, answer)])
    hidden, scores = gated(model, gates, tokens, mask)
    said = model.lm_head(hidden[0, len(prompt) - 1:len(prompt) + len(answer) - 1]).argmax(-1).tolist()
    kept = [(score[mask] > gates.threshold).float().mean().item() for score in scores]
    return said == answer, kept


def evaluate(model, gates, sequences, options):
    """Right answers with everything visible (`full`) and under these gates, and what passes, per length and family."""
    count = options.samples
    for length in map(int, options.lengths.split(",")):
        layers, both = torch.zeros(model.shape.layers), [0, 0]
        for family in FAMILIES:
            samples = [sequences.evaluation(seeded("gates held out", family, length, index), family, length,
                                            depth=(index + 0.5) / count, generated=options.generated) for index in range(count)]
            full = sum(exact(model, samples, torch.float32))
            results = [right(model, gates, *sample) for sample in samples]
            good = sum(result for result, _ in results)
            kept = torch.tensor([shares for _, shares in results]).mean(0)
            layers += kept / len(FAMILIES)
            both = [both[0] + full, both[1] + good]
            low, high = wilson(good, count)
            print(f"{length:5} {family:10} full {full:3}/{count}  gates {good:3}/{count} ({100 * low:.0f}-{100 * high:.0f})"
                  f"  kept {100 * kept.mean():.1f} %", flush=True)
        total = count * len(FAMILIES)
        print(f"{length:5} all        full {100 * both[0] / total:.0f} %  gates {100 * both[1] / total:.0f} %  kept "
              f"{100 * layers.mean():.1f} %, by layer " + " ".join(f"{100 * share:.0f}" for share in layers), flush=True)


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
    parser.add_argument("--heads", type=int, default=4, help="of a gate")
    parser.add_argument("--dim", type=int, default=32, help="elements of one of them")
    parser.add_argument("--keep", type=float, default=0.4, help="share of the entries that shall pass, mean of the layers")
    parser.add_argument("--cutoff", type=float, default=0.1, help="what an entry must be worth to count as needed")
    parser.add_argument("--weight", type=float, default=4.0, help="of a needed entry in the imitation, beside 1 for the others")
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=12, help="of processor time, for the imitation")
    parser.add_argument("--settle", type=int, default=20, help="batches that the biases are moved by")
    parser.add_argument("--pressure", type=float, default=0.3, help="weight of the distance from the targets")
    parser.add_argument("--tune-rate", type=float, default=2e-4)
    parser.add_argument("--tune-steps", type=int, default=100_000)
    parser.add_argument("--tune-minutes", type=float, default=0, help="of processor time, for the paper's training; 0 leaves it out")
    parser.add_argument("--start", help="gates to begin with, in place of the imitation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true", help="do not train: measure what --out holds")
    parser.add_argument("--half", default="heldout", help="of the language, to measure on")
    parser.add_argument("--generated", type=int, default=1, help="0: text of the packed corpus as filler")
    parser.add_argument("--threshold", type=float, help="in place of the file's, to measure")
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
    if options.evaluate:
        gates = Gates.read(options.out, model.shape)
        gates.threshold = options.threshold or gates.threshold
        prose = None if options.generated else Prose(options.data, options.half)
        evaluate(model, gates, Sequences(words, encoder, prose, options.half), options)
    elif options.golden:
        golden(model, Sequences(words, encoder, None, "heldout"), Path(options.golden))
    else:
        sequences = Sequences(words, encoder, Prose(options.data, "train"), "train")
        if options.start:
            gates = Gates.read(options.start, model.shape)
        else:
            gates = Gates(model.shape, options.heads, options.dim)
            losses = imitate(model, gates, sequences, options)
            print(f"imitation: {len(losses)} steps, loss {losses[0]:.3f} to {losses[-1]:.3f}")
        targets = settle(model, gates, sequences, options)
        print("shares by layer: " + " ".join(f"{100 * share:.0f}" for share in targets) + " %", flush=True)
        if options.tune_minutes > 0:
            losses = train(model, gates, sequences, targets, options)
            print(f"{len(losses)} steps, loss {losses[0]:.3f} to {losses[-1]:.3f}")
        gates.write(options.out)


if __name__ == "__main__":
    main()
