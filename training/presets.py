"""What is trained: shapes, lengths and rates for a CPU and for a GPU."""

import dataclasses

from transformer import Shape


@dataclasses.dataclass(frozen=True)
class Preset:
    shape: Shape
    circuit: bool  # whether the induction circuit is written into the initial weights
    stages: tuple  # (length, share of the training), short to long
    tokens: int  # of the whole training
    tokens_per_step: int
    matrix_rate: float  # Muon
    other_rate: float  # AdamW: embedding, head, norms
    warmup_steps: int = 100
    decay_share: float = 0.3  # the last part of the training, in which the rates fall to zero


PRESETS = {
    "cpu": Preset(
        Shape(vocabulary=2048, hidden=256, layers=8, heads=4, kv_heads=2, head_dim=64, feed_forward=256,
              rope_theta=1e7, context=2048),
        circuit=True, stages=((256, 0.22), (512, 0.17), (1024, 0.18), (2048, 0.43)),
        tokens=14_000_000, tokens_per_step=8192, matrix_rate=5e-3, other_rate=3e-3, warmup_steps=60),
    "gpu": Preset(
        Shape(vocabulary=4096, hidden=384, layers=12, heads=6, kv_heads=2, head_dim=64, feed_forward=832,
              rope_theta=3e7, context=8192),
        circuit=False,
        stages=((128, 0.1), (256, 0.1), (512, 0.15), (1024, 0.15), (2048, 0.15), (4096, 0.2), (8192, 0.15)),
        tokens=2_500_000_000, tokens_per_step=131_072, matrix_rate=5e-3, other_rate=3e-3, warmup_steps=300),
    "check": Preset(
        Shape(vocabulary=2048, hidden=64, layers=4, heads=4, kv_heads=2, head_dim=16, feed_forward=32, context=256),
        circuit=True, stages=((128, 0.5), (256, 0.5)), tokens=8192, tokens_per_step=1024,
        matrix_rate=5e-3, other_rate=3e-3, warmup_steps=2),
}
# How often each family is drawn while it is not learned yet; train.py draws less of what is already answered.
MIX = {"needle": 0.16, "several": 0.16, "lookup": 0.10, "hops": 0.14, "tracking": 0.12, "paragraph": 0.20, "labels": 0.06,
       "record": 0.08, "repeat": 0.05, "pairs": 0.08, "prose": 0.05}
