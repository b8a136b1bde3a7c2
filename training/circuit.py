"""The induction circuit that Crumb's initial weights contain when it is trained on a CPU.

The residual stream is cut into equal spaces: E holds a token's own embedding, S1 to S4 the embeddings of the tokens 1 to 4
before it, OUT the embedding of the token to say next. One coordinate is constant.

- layer 0: query head h attends to the token h+1 before (rotary embedding of the fast frequencies, constant content) and
  copies its E into S(h+1).
- layer 1: continues repeated text. Head 0 finds the place whose two preceding tokens are the current and the previous one,
  head 2 the same with three; the token there goes to OUT.
- layers 2 and 3: finds the place that lies as far behind a word as the current one. "of Marlow?<|assistant|>" stands two
  tokens after the name as the "4" does in "Marlow is 4821", and each token of the answer as far as its counterpart.
  Layer 2 matches S2 (head 0) and S3 (head 2), layer 3 S4 (head 0); that E must differ keeps a token from finding itself.
- the output head reads OUT.

All weights are trained afterwards. Content is matched in the slow half of the rotary dimensions, which hardly turn within
the context.
"""

import math

import torch

EMBEDDING = 0.3
CONSTANT = 4 * EMBEDDING


@torch.no_grad()
def write(model, gain=1.0):
    shape = model.shape
    if shape.heads != 4 or shape.kv_heads != 2 or shape.layers < 4:
        raise ValueError("the circuit needs 4 query heads on 2 KV heads and 4 layers or more")
    dim, half = shape.head_dim, shape.head_dim // 2
    fast = half // 2
    size = min((shape.hidden - 1) // 6, dim)
    own, back, out = 0, [0] + [size * n for n in range(1, 5)], 5 * size
    constant = shape.hidden - 1
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    embedding = model.model.embed_tokens.weight
    embedding.normal_(std=EMBEDDING)
    embedding[:, size:] *= 0.3
    # Equal lengths: a longer embedding would shrink the constant in the norm, and with it every positional score.
    embedding *= (EMBEDDING ** 2 * (size + 0.09 * (shape.hidden - size))) ** 0.5 / embedding.norm(dim=-1, keepdim=True)
    embedding[:, constant] = CONSTANT
    model.lm_head.weight.mul_(0.1)
    model.lm_head.weight[:, out:out + size] = embedding[:, own:own + size] * 0.6
    frequencies = 1.0 / shape.rope_theta ** (torch.arange(0, dim, 2).double() / dim)
    slow = torch.cat([torch.arange(fast, half), torch.arange(half + fast, dim)])
    space = torch.arange(size)

    def copies(layer, kv_head, heads, source, target):
        """Values are the space `source`; the heads write it to the spaces `target`."""
        attention = model.model.layers[layer].self_attn
        attention.v_proj.weight[kv_head * dim:(kv_head + 1) * dim] *= 0.1
        attention.v_proj.weight[kv_head * dim + space, source + space] = 1
        for head, place in zip(heads, target):
            attention.o_proj.weight[place + space, head * dim + space] = EMBEDDING

    def quiet(layer):
        attention = model.model.layers[layer].self_attn
        attention.q_proj.weight *= 0.1
        attention.k_proj.weight *= 0.1

    def matches(layer, head, pairs, strength):
        """The query head compares each (query space, key space) in its own part of the slow dimensions."""
        attention, kv_head = model.model.layers[layer].self_attn, head // 2
        for index, (query, key, sign) in enumerate(pairs):
            part = slow[index::len(pairs)]
            # With more dimensions than the space has, the rest goes unused.
            count = min(len(part), size)
            spot = torch.arange(count)
            attention.k_proj.weight[kv_head * dim + part[:count], key + spot] = strength * gain
            attention.q_proj.weight[head * dim + part[:count], query + spot] = sign * strength * gain

    quiet(0)
    first = model.model.layers[0].self_attn
    for frequency in range(fast):
        for kv_head in range(2):
            first.k_proj.weight[kv_head * dim + frequency, constant] = 1.9
        for head in range(4):
            angle = (head + 1) * float(frequencies[frequency])
            first.q_proj.weight[head * dim + frequency, constant] = 1.9 * math.cos(angle)
            first.q_proj.weight[head * dim + half + frequency, constant] = -1.9 * math.sin(angle)
    copies(0, 0, (0, 1), own, back[1:3])
    copies(0, 1, (2, 3), own, back[3:5])

    quiet(1)
    matches(1, 0, [(own, back[1], 1), (back[1], back[2], 1)], 1.9)
    matches(1, 2, [(own, back[1], 1), (back[1], back[2], 1), (back[2], back[3], 1)], 1.9)
    copies(1, 0, (0,), own, [out])
    copies(1, 1, (2,), own, [out])
    for layer, head, distance in ((2, 0, 2), (2, 2, 3), (3, 0, 4)):
        if head == 0:
            quiet(layer)
        matches(layer, head, [(back[distance], back[distance], 1), (own, own, -1)], 1.9)
        copies(layer, head // 2, (head,), own, [out])
