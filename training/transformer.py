"""A plain Llama with grouped-query attention; parameters carry the names of the Hugging Face layout."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn

BLOCK = 256  # queries per block of the attention on CPUs


@dataclasses.dataclass(frozen=True)
class Shape:
    vocabulary: int = 2048
    hidden: int = 256
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    feed_forward: int = 256
    rope_theta: float = 1e7
    context: int = 2048


class BlockedAttention(torch.autograd.Function):
    """Causal attention, one block of queries at a time.

    PyTorch's own attention is several times slower than matmul-softmax-matmul in bfloat16 on CPUs. Shapes: query
    [batch, kvHead, group, time, dim], already scaled; key and value [batch, kvHead, time, dim].
    """

    @staticmethod
    def forward(context, query, key, value):
        batch, kv_heads, group, time, dim = query.shape
        result, weights = torch.empty_like(query), []
        for start in range(0, time, BLOCK):
            end = min(start + BLOCK, time)
            size = end - start
            rows = query[:, :, :, start:end].reshape(batch, kv_heads, group * size, dim)
            scores = (rows @ key[:, :, :end].transpose(-1, -2)).view(batch, kv_heads, group, size, end)
            future = torch.full((size, size), float("-inf"), dtype=scores.dtype, device=scores.device).triu_(1)
            scores[..., start:] += future
            weight = torch.softmax(scores, -1).view(batch, kv_heads, group * size, end)
            result[:, :, :, start:end] = (weight @ value[:, :, :end]).view(batch, kv_heads, group, size, dim)
            weights.append(weight)
        context.save_for_backward(query, key, value, *weights)
        return result

    @staticmethod
    def backward(context, gradient):
        query, key, value, *weights = context.saved_tensors
        batch, kv_heads, group, time, dim = query.shape
        query_gradient = torch.empty_like(query)
        key_gradient, value_gradient = torch.zeros_like(key), torch.zeros_like(value)
        for index, start in enumerate(range(0, time, BLOCK)):
            end = min(start + BLOCK, time)
            size, weight = end - start, weights[index]
            rows = gradient[:, :, :, start:end].reshape(batch, kv_heads, group * size, dim)
            value_gradient[:, :, :end] += weight.transpose(-1, -2) @ rows
            score = torch._softmax_backward_data(rows @ value[:, :, :end].transpose(-1, -2), weight, -1, weight.dtype)
            query_gradient[:, :, :, start:end] = (score @ key[:, :, :end]).view(batch, kv_heads, group, size, dim)
            queries = query[:, :, :, start:end].reshape(batch, kv_heads, group * size, dim)
            key_gradient[:, :, :end] += score.transpose(-1, -2) @ queries
        return query_gradient, key_gradient, value_gradient


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), 1e-5)


class Linear(nn.Module):
    """Weights in float32, the product in the type of its input."""

    def __init__(self, inputs, outputs, scale=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (scale * inputs ** -0.5))

    def forward(self, x):
        return F.linear(x, self.weight.to(x.dtype))


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.q_proj = Linear(shape.hidden, shape.heads * shape.head_dim)
        self.k_proj = Linear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.v_proj = Linear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.o_proj = Linear(shape.heads * shape.head_dim, shape.hidden, scale=(2 * shape.layers) ** -0.5)

    def forward(self, x, cosine, sine):
        batch, time, _ = x.shape
        heads, kv_heads, dim = self.shape.heads, self.shape.kv_heads, self.shape.head_dim
        query = self.q_proj(x).view(batch, time, heads, dim).transpose(1, 2)
        key = self.k_proj(x).view(batch, time, kv_heads, dim).transpose(1, 2)
        value = self.v_proj(x).view(batch, time, kv_heads, dim).transpose(1, 2)
        query, key = rotate(query, cosine, sine), rotate(key, cosine, sine)
        if x.is_cuda:
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        else:
            query = (query * dim ** -0.5).reshape(batch, kv_heads, heads // kv_heads, time, dim)
            mixed = BlockedAttention.apply(query, key.contiguous(), value.contiguous())
            mixed = mixed.view(batch, heads, time, dim)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, time, heads * dim))


class FeedForward(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = Linear(shape.hidden, shape.feed_forward)
        self.up_proj = Linear(shape.hidden, shape.feed_forward)
        self.down_proj = Linear(shape.feed_forward, shape.hidden, scale=(2 * shape.layers) ** -0.5)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(shape.hidden), Norm(shape.hidden)
        self.self_attn, self.mlp = Attention(shape), FeedForward(shape)

    def forward(self, x, cosine, sine):
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList([Layer(shape) for _ in range(shape.layers)])
        self.norm = Norm(shape.hidden)
        nn.init.normal_(self.embed_tokens.weight, std=0.3)


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        self.lm_head = Linear(shape.hidden, shape.vocabulary, scale=0.1)
        self._tables = {}

    def forward(self, tokens, dtype=torch.bfloat16):
        """The normalised hidden states [batch, time, hidden] of token ids [batch, time]; lm_head makes logits of them."""
        cosine, sine = self._rotary(tokens.shape[1], dtype, tokens.device)
        x = self.model.embed_tokens(tokens).to(dtype)
        for layer in self.model.layers:
            x = layer(x, cosine, sine)
        return self.model.norm(x)

    def _rotary(self, time, dtype, device):
        key = (time, dtype, str(device))
        if key not in self._tables:
            dim = self.shape.head_dim
            inverse = 1.0 / self.shape.rope_theta ** (torch.arange(0, dim, 2).double() / dim)
            angles = torch.outer(torch.arange(time).double(), inverse)
            cosine = torch.cat([angles.cos(), angles.cos()], -1)
            sine = torch.cat([-angles.sin(), angles.sin()], -1)
            self._tables[key] = cosine.to(device, dtype), sine.to(device, dtype)
        return self._tables[key]

    def parameter_count(self):
        return sum(parameter.numel() for parameter in self.parameters())


def rotate(x, cosine, sine):
    """Rotary embedding of the rotate-half layout; sine carries the sign of the first half."""
    return x * cosine + torch.roll(x, x.shape[-1] // 2, -1) * sine
