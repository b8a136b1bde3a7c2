"""A self-check of a few seconds: the language, the tokenizer, the generator, one tiny training, export and back.

    python3 training/check.py
"""

import argparse
import random
import tempfile
from pathlib import Path

import numpy as np
import torch

import export
import gates
import language
import tasks
import train
import vocabulary
from evaluate import exact, sample, wilson
from presets import MIX, PRESETS
from sequences import DRILLS, Prose, Sequences, seeded
from transformer import BlockedAttention


def main():
    torch.set_num_threads(2)
    words = language.load()
    for name, pool in words["pools"].items():
        assert not set(pool["train"]) & set(pool["heldout"]), name
    rng = random.Random(1)
    text = " ".join(language.filler_sentence(words, rng, "train") for _ in range(3000))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        tokenizer = vocabulary.train(text, language.single_tokens(words), PRESETS["check"].shape.vocabulary)
        tokenizer.save(str(folder / "tokenizer.json"))
        encoder = vocabulary.load(folder / "tokenizer.json")
        check_encoder(encoder)
        for half in language.HALVES:
            sentences = [encoder(" " + language.filler_sentence(words, rng, half)) for _ in range(500)]
            np.save(folder / f"{half}_tokens.npy", np.concatenate(sentences).astype(np.uint16))
            np.save(folder / f"{half}_offsets.npy", np.concatenate([[0], np.cumsum([len(s) for s in sentences])]))
        check_sequences(Sequences(words, encoder, Prose(folder, "train"), "train"))
        check_attention()
        run = train.Training(PRESETS["check"], folder, folder / "run", 0, 0, "cpu")
        losses = []
        while run.progress() < 1:
            losses.append(run.one_step())
        run.save()
        again = train.Training(PRESETS["check"], folder, folder / "run", 0, 0, "cpu")
        assert again.step == run.step and again.tokens == run.tokens
        assert all(torch.equal(a, b) for a, b in zip(run.model.parameters(), again.model.parameters()))
        export.write(run.model, folder / "tokenizer.json", folder / "model")
        model = export.load(folder / "model")
        for written, read in zip(run.model.parameters(), model.parameters()):
            assert torch.equal(written.detach().to(torch.bfloat16).float(), read.detach())
        check_gates(model, again.heldout_set, folder)
        right = exact(model, sample(again.heldout_set, "needle", 128, 4), torch.float32)
        assert len(right) == 4
    low, high = wilson(9, 10)
    assert 0.59 < low < 0.61 and 0.97 < high < 0.99
    print(f"fine: {len(losses)} steps, loss {losses[0]:.2f} to {losses[-1]:.2f}")


def check_encoder(encoder):
    for text in (" The code of Marlow is 4821.", ' "It\'s Tobin\'s," he said... 12  spaces', "x\n y\t", " naïve"):
        assert encoder(text) == encoder.tokenizer.encode(text, add_special_tokens=False).ids, text
        assert encoder.tokenizer.decode(encoder(text)) == text, text


def check_sequences(sequences):
    for family in (*tasks.FAMILIES, *DRILLS):
        assert family in MIX
        for length in (128, 256):
            for index in range(5):
                tokens, weights = sequences.training(seeded(family, length, index), family, length)
                assert len(tokens) == len(weights) <= length, family
                same, _ = sequences.training(seeded(family, length, index), family, length)
                assert same == tokens, "the same seed gives the same text"
        if family in tasks.FAMILIES:
            for first in (False, True):
                prompt, answer = sequences.evaluation(seeded(family), family, 512, first=first)
                assert 256 < len(prompt) + len(answer) <= 512, family


def check_gates(model, sequences, folder):
    """Open gates change nothing, closed ones leave every token alone, training reaches every weight, files hold it all."""
    samples = [sequences.evaluation(seeded("gates", index), "needle", 128, generated=True) for index in range(2)]
    tokens, prompt, _ = gates.rows(samples)
    opened = gates.Gates(model.shape, 2, 8)
    with torch.no_grad():
        hidden, scores = gates.gated(model, opened, tokens, prompt)
        for row, (asked, answer) in enumerate(samples):
            length = len(asked) + len(answer)
            plain = model(tokens[row:row + 1, :length], torch.float32)
            assert torch.allclose(hidden[row, :length], plain[0], atol=1e-4)
        assert all(0.9 < score[prompt].min() for score in scores)
        opened.threshold = 1.0
        alone, _ = gates.gated(model, opened, tokens[:, :1], prompt[:, :1])
        first, _ = gates.gated(model, opened, tokens[:1, :9], prompt[:1, :9])
        assert torch.allclose(first[0, 0], alone[0, 0], atol=1e-5)
        assert not torch.allclose(first[0, 8], hidden[0, 8], atol=1e-3)
        opened.threshold = 0.5
    tokens, _, weights = gates.rows(samples)
    _, worth = gates.observe(model, tokens, gates.asking(weights))
    assert all(0 <= each.min() and each.max() <= 1 for each in worth) and max(each.max() for each in worth) > 0
    assert all(each[0, -1].max() == 0 for each in worth), "no later token sees the last one"
    options = argparse.Namespace(steps=3, minutes=1, rate=1e-2, cutoff=0.01, weight=4.0, keep=0.4, settle=2, pressure=0.3,
                                 tune_steps=3, tune_minutes=1, tune_rate=1e-2, seed=1, verbose=False)
    before = [parameter.clone() for parameter in opened.parameters()]
    assert len(gates.imitate(model, opened, sequences, options)) == 3
    shares = gates.settle(model, opened, sequences, options)
    assert abs(sum(shares) / len(shares) - options.keep) < 0.02
    losses = gates.train(model, opened, sequences, shares, options)
    assert len(losses) == 3
    assert all(not torch.equal(a, b) for a, b in zip(before, opened.parameters()))
    assert all(parameter.grad is None for parameter in model.parameters())
    opened.write(folder / "gates.safetensors")
    again = gates.Gates.read(folder / "gates.safetensors", model.shape)
    for written, read in zip(opened.parameters(), again.parameters()):
        assert torch.equal(written.detach().to(torch.bfloat16).float(), read.detach())


def check_attention():
    """The attention written for CPUs against PyTorch's, result and gradients."""
    torch.manual_seed(1)
    query, key, value = (torch.randn(2, 2, *rest, requires_grad=True) for rest in ((2, 300, 16), (300, 16), (300, 16)))
    ours = BlockedAttention.apply(query * 0.25, key, value)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        query, key[:, :, None].expand_as(query), value[:, :, None].expand_as(query), is_causal=True)
    assert torch.allclose(ours, theirs, atol=1e-5)
    weights = torch.randn_like(ours)
    for one, other in zip(torch.autograd.grad((ours * weights).sum(), (query, key, value)),
                          torch.autograd.grad((theirs * weights).sum(), (query, key, value))):
        assert torch.allclose(one, other, atol=1e-4)


if __name__ == "__main__":
    main()
