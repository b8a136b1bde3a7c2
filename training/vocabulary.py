"""Crumb's tokenizer: byte-level BPE, every digit its own token, a space belonging to the word after it."""

import json
import re
from collections import Counter
from functools import lru_cache

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END, USER, ASSISTANT, BOS = range(4)
SPECIALS = ["<|end|>", "<|user|>", "<|assistant|>", "<|bos|>"]
PATTERN = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# The same pattern for text of ASCII characters, in the dialect of Python's re.
ASCII = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def train(text, single_tokens, size):
    """Learns merges from text; the words of single_tokens are counted often enough to become one token each."""
    counts = Counter(ASCII.findall(text))
    weight = max(counts.values())
    for word in single_tokens:
        counts[word] += weight
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    # Merges of rare words of the text would be lost beside the weighted ones otherwise: one line per count and word.
    lines = (line for word, count in counts.items() for line in [word] * max(1, min(count, 20_000) // 20))
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    split = [word for word in single_tokens if len(tokenizer.encode(word).ids) != 1]
    if split:
        raise ValueError(f"vocabulary of {size} is too small, {len(split)} words have several tokens: {split[:9]}")
    return tokenizer


class Encoder:
    """Text to token ids, word by word through a cache: several times faster than the tokenizer for generated text."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self._word = lru_cache(200_000)(lambda word: tuple(tokenizer.encode(word, add_special_tokens=False).ids))

    def __call__(self, text):
        if not text.isascii():
            return self.tokenizer.encode(text, add_special_tokens=False).ids
        return [token for word in ASCII.findall(text) for token in self._word(word)]


def load(file):
    """Encoder of a tokenizer.json."""
    return Encoder(Tokenizer.from_file(str(file)))


def chat_template():
    """tokenizer_config.json as a dictionary, with the chat template of TASKS.md; model_max_length is for the caller."""
    template = (
        "{{- bos_token }}\n{%- for message in messages %}\n    {%- if message.role == 'user' %}\n"
        "        {{- '<|user|> ' + (message.content | trim) }}\n    {%- elif message.role == 'assistant' %}\n"
        "        {{- '<|assistant|> ' + (message.content | trim) + '<|end|>' }}\n    {%- else %}\n"
        "        {{- raise_exception('Crumb was trained with the roles user and assistant only, not ' + message.role) }}\n"
        "    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|assistant|>' }}\n{%- endif %}")
    token = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return json.loads(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "add_eos_token": False,
        "bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|end|>", "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": {str(index): {"content": content, **token} for index, content in enumerate(SPECIALS)},
        "chat_template": template}))
