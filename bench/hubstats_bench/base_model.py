"""The tokenizer and the base model of a run: from the Hub, a folder, a .gguf file, or made up for tests.

A .gguf is dequantised once and kept as safetensors under the hash of the file, because loading one takes half a
minute and a model loaded from it cannot be saved. Its weights are those of the quantised file, not of the original.
"""

from __future__ import annotations

import os
import shutil
import string
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from hubstats.errors import BenchError
from hubstats_bench.experiment import TrainingParams
from hubstats_bench.spec import Origin

MADE: Mapping[str, Mapping[str, Any]] = {
    "tiny-llama": {
        "vocab_size": 128,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
    },
    # meta-llama/Llama-3.2-3B, config.json
    "llama-3.2-3b": {
        "vocab_size": 128_256,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
}
"""Shapes of models that are made up of random weights."""
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def load_tokenizer(origin: Origin, max_length: int) -> Any:
    """The model's tokenizer, padding on the right with the end-of-text token, as the published recipe wants it."""
    if origin.kind == "made":
        tokenizer: Any = _made_tokenizer()
    else:
        tokenizer = AutoTokenizer.from_pretrained(folder_of(origin), revision=_revision(origin))
    tokenizer.model_max_length = max_length
    tokenizer.padding_side = "right"
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(origin: Origin, training: TrainingParams, device: str) -> Any:
    """The bare base model on `device`, in the dtype of `training`, in evaluation mode."""
    if origin.kind != "made":
        model = _loaded(folder_of(origin), _revision(origin), training, device)
    elif training.dtype in DTYPES:
        model = _made_model(MADE[origin.name], training, device)
    else:
        # weights are quantised while they are loaded, and only then
        with tempfile.TemporaryDirectory() as place:
            _made_model(MADE[origin.name], training.replaced(dtype="bfloat16"), device).save_pretrained(place)
            model = _loaded(place, None, training, device)
    if training.use_gc:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable()
    return model.eval()


def cache_folder() -> Path:
    """Where converted models are kept: HUBSTATS_CACHE, or the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HUBSTATS_CACHE") or Path(base) / "hubstats") / "models"


def _loaded(place: str, revision: str | None, training: TrainingParams, device: str) -> Any:
    keywords: dict[str, Any] = {"attn_implementation": training.attn_implementation}
    if training.dtype in DTYPES:
        keywords["dtype"] = DTYPES[training.dtype]
        return AutoModelForCausalLM.from_pretrained(place, revision=revision, use_safetensors=True, **keywords).to(
            device
        )
    keywords |= {"quantization_config": _quantisation(training.dtype), "device_map": device}
    return AutoModelForCausalLM.from_pretrained(place, revision=revision, use_safetensors=True, **keywords)


def _quantisation(dtype: str) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=True) if dtype == "int4" else BitsAndBytesConfig(load_in_8bit=True)


def _revision(origin: Origin) -> str | None:
    return origin.revision if origin.kind == "hub" else None


def folder_of(origin: Origin) -> str:
    if origin.kind == "hub":
        return origin.name
    location = Path(str(origin.location))
    if not location.exists():
        raise BenchError(f"the model {origin.name} is not at its place any more; plan or run it again with --model")
    return str(_converted(location, origin.revision) if location.suffix == ".gguf" else location)


def _converted(file: Path, sha256: str) -> Path:
    """A folder with the file's model as safetensors, made on first use."""
    folder = cache_folder() / f"{file.stem}-{sha256[:16]}"
    if (folder / "config.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    read = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
    # transformers refuses to save a model that it read from a GGUF: a fresh one takes the weights over
    config = read.config
    del config.quantization_config
    fresh = type(read)(config)
    fresh.load_state_dict(read.state_dict())
    fresh.generation_config = read.generation_config
    part = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        fresh.save_pretrained(part)
        tokenizer.save_pretrained(part)
        try:
            part.rename(folder)
        except OSError:  # another run was quicker; its folder holds the same
            if not (folder / "config.json").is_file():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _made_tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    characters = [character for character in string.printable if character not in "\t\r\x0b\x0c"]
    vocabulary = {token: number for number, token in enumerate(["<unk>", "<eos>", *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<eos>")


def _made_model(shape: Mapping[str, Any], training: TrainingParams, device: str) -> LlamaForCausalLM:
    """A Llama of that shape on `device`, whose weights are the same whenever it is made there."""
    config = LlamaConfig(
        **shape,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=True,
        attn_implementation=training.attn_implementation,
    )
    accelerators = [] if device == "cpu" else [torch.accelerator.current_device_index()]
    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=accelerators, device_type="cuda" if device == "cpu" else device):
        torch.manual_seed(20_240_601)
        try:
            # made where and as it is used: 3 billion weights in 32 bit on the host would take minutes
            torch.set_default_dtype(DTYPES[training.dtype])
            with torch.device(device):
                return LlamaForCausalLM(config)
        finally:
            torch.set_default_dtype(before)
