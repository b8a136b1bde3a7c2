"""Trains Crumb; stops and goes on from its last checkpoint whenever it is started again.

    python3 training/train.py --preset cpu --data training/work --out training/work/run [--minutes 9]
"""

import argparse
import os
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import circuit
import language
import vocabulary
from evaluate import exact, sample
from muon import Muon
from presets import MIX, PRESETS
from sequences import Prose, Sequences, batch, seeded
from tasks import FAMILIES
from transformer import Llama

SAMPLED_TEXT = 0.12  # share of the text tokens that enter the loss; their weight makes up for it


class Batches:
    """Batches of the training half in the order of the steps, made ahead by other processes where there are workers."""

    def __init__(self, data, workers):
        self.data, self.pool, self.ahead = data, None, deque()
        if workers:
            self.pool = ProcessPoolExecutor(workers, initializer=Batches.open, initargs=(data,))
            self.depth = 2 * workers
        else:
            Batches.open(data)

    @staticmethod
    def open(data):
        encoder = vocabulary.load(Path(data) / "tokenizer.json")
        Batches.sequences = Sequences(language.load(), encoder, Prose(data, "train"), "train")

    @staticmethod
    def make(seed, step, mix, count, length):
        return batch(Batches.sequences, seeded(seed, "train", step), mix, count, length)

    def next(self, step, arguments):
        """The batch of a step; `arguments` gives those of make for any step from this one on."""
        if not self.pool:
            return Batches.make(*arguments(step))
        while len(self.ahead) < self.depth:
            self.ahead.append(self.pool.submit(Batches.make, *arguments(step + len(self.ahead))))
        return self.ahead.popleft().result()

    def close(self):
        if self.pool:
            self.pool.shutdown(cancel_futures=True)


class Training:
    def __init__(self, preset, data, out, seed, total_minutes, device, workers=0):
        self.preset, self.out, self.seed, self.device = preset, Path(out), seed, device
        self.total_minutes = total_minutes
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.model = Llama(preset.shape)
        if preset.circuit:
            circuit.write(self.model)
        self.model.to(device)
        matrices = [p for p in self.model.model.layers.parameters() if p.ndim == 2]
        chosen = set(map(id, matrices))
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW([p for p in self.model.parameters() if id(p) not in chosen],
                                      betas=(0.9, 0.95), weight_decay=0.0, fused=True)
        encoder = vocabulary.load(Path(data) / "tokenizer.json")
        if encoder.tokenizer.get_vocab_size() != preset.shape.vocabulary:
            raise SystemExit(f"the tokenizer of {data} has {encoder.tokenizer.get_vocab_size()} entries, "
                             f"the preset wants {preset.shape.vocabulary}; run pack.py with --vocabulary")
        words = language.load()
        self.batches = Batches(data, workers)
        self.heldout_set = Sequences(words, encoder, Prose(data, "heldout"), "heldout")
        self.step = self.tokens = self.stage = 0
        self.seconds = 0.0
        self.accuracy = {}
        self.load()

    @property
    def file(self):
        return self.out / "checkpoint.pt"

    def load(self):
        if not self.file.exists():
            return
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        for name in ("step", "tokens", "stage", "seconds", "accuracy"):
            setattr(self, name, state[name])
        print(f"goes on at step {self.step}, {self.tokens / 1e6:.2f} million tokens", flush=True)

    def save(self):
        """Written beside the old checkpoint and then renamed: a stop at any moment leaves a whole one."""
        state = {name: getattr(self, name) for name in ("step", "tokens", "stage", "seconds", "accuracy")}
        state |= {"model": self.model.state_dict(), "muon": self.muon.state_dict(), "adam": self.adam.state_dict()}
        torch.save(state, self.file.with_suffix(".new"))
        os.replace(self.file.with_suffix(".new"), self.file)

    def progress(self):
        """From 0 to 1: by tokens, or by time where that runs out first."""
        share = self.tokens / self.preset.tokens
        return max(share, self.seconds / 60 / self.total_minutes) if self.total_minutes else share

    def rate(self):
        warm = min(1.0, (self.step + 1) / self.preset.warmup_steps)
        return warm * min(1.0, max(0.01, (1 - self.progress()) / self.preset.decay_share))

    def length(self, rng):
        """Of the next batch: mostly the stage's, sometimes a shorter one that was trained before."""
        stages = self.preset.stages
        ends = np.cumsum([share for _, share in stages])
        self.stage = max(self.stage, min(int(np.searchsorted(ends, self.progress(), side="right")), len(stages) - 1))
        return stages[self.stage if rng.random() < 0.7 else rng.randint(0, self.stage)][0]

    def mix(self):
        """Families in proportion to MIX and to what is still wrong about them."""
        return {name: share * (0.15 + min(1.0, 10 * (1 - self.accuracy.get(name, 0.5)))) for name, share in MIX.items()}

    def drawn(self, step):
        """What the batch of a step is made from."""
        length = self.length(seeded(self.seed, "length", step))
        return self.seed, step, self.mix(), max(1, self.preset.tokens_per_step // length), length

    def one_step(self):
        tokens, weights, names = self.batches.next(self.step, self.drawn)
        ids, weights = torch.from_numpy(tokens).to(self.device), torch.from_numpy(weights).to(self.device)[:, 1:]
        lottery = torch.from_numpy(np.random.default_rng(self.step).random(weights.shape, np.float32)).to(self.device)
        chosen = (weights >= 0.5) | ((weights > 0) & (lottery < SAMPLED_TEXT))
        expected, weight = ids[:, 1:][chosen], weights[chosen]
        weight = torch.where(weight < 0.5, weight / SAMPLED_TEXT, weight)
        logits = self.model.lm_head(self.model(ids)[:, :-1][chosen]).float()
        losses = F.cross_entropy(logits, expected, reduction="none")
        loss = (losses * weight).sum() / weight.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.muon.step(self.preset.matrix_rate * self.rate())
        for group in self.adam.param_groups:
            group["lr"] = self.preset.other_rate * self.rate()
        self.adam.step()
        for parameter in self.model.parameters():
            parameter.grad = None
        self._watch(names, chosen, weights, logits, expected, losses)
        self.step += 1
        self.tokens += ids.numel()
        return loss.item()

    @torch.no_grad()
    def _watch(self, names, chosen, weights, logits, expected, losses):
        """Moving averages: the share of right answer tokens per family, the cross entropy of text."""
        rows = torch.nonzero(chosen)[:, 0].cpu().numpy()
        answers = (weights[chosen] >= 0.5).cpu().numpy()
        right = (logits.argmax(-1) == expected).float().cpu().numpy()
        for name in set(names):
            mask = np.isin(rows, [row for row, each in enumerate(names) if each == name]) & answers
            if mask.any():
                self._average(name, right[mask].mean())
        if (~answers).any():
            self._average("text", losses.cpu().numpy()[~answers].mean())

    def _average(self, name, value):
        self.accuracy[name] = float(0.93 * self.accuracy.get(name, value) + 0.07 * value)

    def evaluate(self, count=20):
        """Exact answers per family at the length of this stage and held-out words."""
        length = self.preset.stages[self.stage][0]
        shares = {}
        for family in FAMILIES:
            right = exact(self.model, sample(self.heldout_set, family, length, count), torch.bfloat16)
            shares[family] = round(100 * sum(right) / count)
        print(f"HELD OUT {length} {shares}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    parser.add_argument("--data", default="training/work", help="folder that pack.py wrote")
    parser.add_argument("--out", default="training/work/run", help="folder of the checkpoint")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long; the next start goes on")
    parser.add_argument("--total-minutes", type=float, default=0,
                        help="the training is over after so many minutes, whatever the preset's tokens; 0: no limit")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches ahead; 12 feed a large GPU")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate-every", type=float, default=5, help="minutes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run = Training(PRESETS[options.preset], options.data, options.out, options.seed, options.total_minutes, device,
                   options.workers)
    print(f"{run.model.parameter_count()} parameters on {device}", flush=True)
    start = previous = saved = evaluated = time.monotonic()
    while run.progress() < 1 and time.monotonic() - start < options.minutes * 60:
        loss = run.one_step()
        now = time.monotonic()
        run.seconds += now - previous
        previous = now
        if run.step % 25 == 0:
            shown = " ".join(f"{name} {value:.2f}" for name, value in sorted(run.accuracy.items()))
            print(f"{run.step} {run.seconds:.0f} s {run.tokens / 1e6:.2f}M L{run.preset.stages[run.stage][0]} "
                  f"{100 * run.progress():.1f} % loss {loss:.3f} {shown} {run.tokens / run.seconds:.0f} tok/s", flush=True)
        if now - saved > 120:
            run.save()
            saved = now
        if now - evaluated > options.evaluate_every * 60:
            run.evaluate()
            evaluated = time.monotonic()
    run.save()
    run.batches.close()
    run.evaluate()
    print("finished" if run.progress() >= 1 else "stopped; start again to go on", flush=True)


if __name__ == "__main__":
    main()
