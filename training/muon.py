"""Muon: momentum whose update is made nearly orthogonal, for matrices (Jordan et al. 2024)."""

import math

import torch


@torch.no_grad()
def orthogonal(matrices, steps=5):
    """The nearest semi-orthogonal matrices, approximately, by a quintic Newton-Schulz iteration; [count, rows, columns]."""
    x = matrices.to(torch.bfloat16)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.transpose(-1, -2)
    x = x / (x.float().norm(dim=(-2, -1), keepdim=True).to(x.dtype) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(-1, -2)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
    return (x.transpose(-1, -2) if tall else x).float()


class Muon:
    """One momentum buffer per shape; matrices of one shape are updated together."""

    def __init__(self, parameters, momentum=0.95, weight_decay=0.01):
        self.groups, self.momentum, self.weight_decay = {}, momentum, weight_decay
        for parameter in parameters:
            self.groups.setdefault(tuple(parameter.shape), []).append(parameter)
        self.buffers = {shape: torch.zeros(len(group), *shape, device=group[0].device)
                        for shape, group in self.groups.items()}

    @torch.no_grad()
    def step(self, rate):
        for shape, group in self.groups.items():
            gradient = torch.stack([parameter.grad for parameter in group])
            buffer = self.buffers[shape]
            buffer.lerp_(gradient, 1 - self.momentum)
            updates = orthogonal(gradient.lerp(buffer, self.momentum))
            scale = 0.2 * math.sqrt(max(shape))
            for parameter, update in zip(group, updates):
                parameter.mul_(1 - rate * self.weight_decay).add_(update, alpha=-rate * scale)

    def state_dict(self):
        return {"x".join(map(str, shape)): buffer for shape, buffer in self.buffers.items()}

    def load_state_dict(self, state):
        for shape, buffer in self.buffers.items():
            buffer.copy_(state["x".join(map(str, shape))])
