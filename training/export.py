"""Writes a checkpoint as a Hugging Face folder in BF16, and reads such a folder back.

    python3 training/export.py --checkpoint training/work/run --preset cpu --data training/work --out models/crumb
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import vocabulary
from presets import PRESETS
from transformer import Llama, Shape


def config(shape):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden, "intermediate_size": shape.feed_forward, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim,
        "rms_norm_eps": 1e-05, "rope_theta": shape.rope_theta, "max_position_embeddings": shape.context,
        "hidden_act": "silu", "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
        "bos_token_id": vocabulary.BOS, "eos_token_id": vocabulary.END, "torch_dtype": "bfloat16"}


def write(model, tokenizer, out):
    """config.json, model.safetensors, tokenizer.json, tokenizer_config.json and generation_config.json."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    shutil.copyfile(tokenizer, out / "tokenizer.json")
    generation = {"bos_token_id": vocabulary.BOS, "eos_token_id": vocabulary.END, "do_sample": False}
    texts = {"config.json": config(model.shape), "generation_config.json": generation,
             "tokenizer_config.json": vocabulary.chat_template() | {"model_max_length": model.shape.context}}
    for name, value in texts.items():
        (out / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def load(folder):
    """The model of such a folder with its rounded weights, computing in float32."""
    folder = Path(folder)
    c = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = Llama(Shape(c["vocab_size"], c["hidden_size"], c["num_hidden_layers"], c["num_attention_heads"],
                        c["num_key_value_heads"], c["head_dim"], c["intermediate_size"], c["rope_theta"],
                        c["max_position_embeddings"]))
    tensors = load_file(folder / "model.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="training/work/run")
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    parser.add_argument("--data", default="training/work")
    parser.add_argument("--out", default="models/crumb")
    options = parser.parse_args()
    model = Llama(PRESETS[options.preset].shape)
    state = torch.load(Path(options.checkpoint) / "checkpoint.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    write(model, Path(options.data) / "tokenizer.json", options.out)
    print(f"{options.out}: {model.parameter_count()} parameters after {state['tokens']} tokens, step {state['step']}")


if __name__ == "__main__":
    main()
