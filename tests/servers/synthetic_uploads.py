"""Uploads of the image-site stand-in: one of every type, then drawn by seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from .synthetic_models import iso, pick

# fmt: off
TYPES = (
    "Checkpoint", "TextualInversion", "Hypernetwork", "AestheticGradient", "LORA", "LoCon", "DoRA", "Controlnet",
    "Upscaler", "MotionModule", "VAE", "TextEncoder", "UNet", "CLIPVision", "Poses", "Wildcards", "Workflows",
    "ComfyWorkflows", "Detection", "VisionLanguage", "CLIP", "LLM", "Other",
)
# fmt: on
TYPE_SHARES = {"LORA": 0.68, "Checkpoint": 0.14, "LoCon": 0.05, "TextualInversion": 0.05, "DoRA": 0.01, "Other": 0.02}
BASE_MODELS = ("SD 1.5", "SDXL 1.0", "Pony", "Illustrious", "Flux.1 D", "Other")
EPOCH = datetime(2022, 11, 1, tzinfo=UTC)


@dataclass(slots=True)
class Upload:
    """One model page of the site."""

    id: int
    type: str = "LORA"
    name: str = "untitled"
    creator: str | None = "someone"
    """None: the account is gone, and the field with it."""
    downloads: int | None = 0
    """None: hidden by the creator."""
    thumbs: int = 0
    nsfw: bool = False
    base_model: str | None = "SDXL 1.0"
    published_at: datetime = EPOCH
    versions: int = 1
    """The first version is `published_at`; each further one 30 days later. 0: no version at all."""
    tags: tuple[str, ...] = ()
    mode: str | None = None
    """Archived, TakenDown, or absent."""
    withheld: bool = False
    """Filtered out after the page was cut."""

    def shown(self, origin: str) -> dict[str, Any]:
        """The item as the interface shows it."""
        versions = []
        for number in reversed(range(self.versions)):
            version = self.id * 10 + number
            download = f"{origin}/api/download/models/{version}"
            file = {"id": version, "name": f"{self.name}.safetensors", "sizeKB": 144_000.5, "type": "Model"}
            versions.append(
                {
                    "id": version,
                    "name": f"v{number + 1}",
                    "baseModel": self.base_model,
                    "publishedAt": iso(self.published_at + timedelta(days=30 * number)),
                    "availability": "Public",
                    "nsfwLevel": 60 if self.nsfw else 1,
                    "stats": {"downloadCount": self.downloads, "thumbsUpCount": self.thumbs},
                    "files": [file | {"downloadUrl": download}] if self.mode != "Archived" else [],
                    "images": [],
                    "downloadUrl": download,
                }
            )
        item = {
            "id": self.id,
            "name": self.name,
            "description": f"<p>{self.name} &amp; more</p>",
            "type": self.type,
            "nsfw": self.nsfw,
            "nsfwLevel": 60 if self.nsfw else 1,
            "mode": self.mode,
            "tags": list(self.tags),
            "creator": {"username": self.creator, "image": None} if self.creator else None,
            "stats": {
                "downloadCount": self.downloads,
                "thumbsUpCount": self.thumbs,
                "thumbsDownCount": 0,
                "commentCount": 0,
                "tippedAmountCount": 0,
            },
            "modelVersions": versions,
        }
        # JSON.stringify leaves undefined out: mode and creator are absent, never null. Hidden counts are null.
        return {name: value for name, value in item.items() if value is not None}


def synthetic_civitai(n: int, seed: int = 0, *, first: int = 0) -> list[Upload]:
    """Uploads `first` to `first + n - 1` of the site that `seed` names, oldest first.

    The first few dozen include one of every type; some hide their downloads, lack a creator or versions, are adult,
    archived, taken down or withheld.
    """
    return [synthetic_upload(number, seed) for number in range(first, first + n)]


def synthetic_upload(number: int, seed: int) -> Upload:
    """One upload, by seed and number alone."""
    rng = Random(f"civitai/{seed}/{number}")
    kind = TYPES[number] if number < len(TYPES) else pick(rng, TYPE_SHARES)
    state = rng.random()
    return Upload(
        id=1000 + number,
        type=kind,
        name=rng.choice(("Ink wash", "Caf\u00e9 night", "<b>Bold</b>", "=1+1", "\u6c34\u5f69")) + f" {number}",
        creator=None if number % 23 == 5 else f"maker{int(rng.paretovariate(0.8)) % 9000}",
        downloads=None if number % 17 == 3 else int(rng.paretovariate(0.5)) % 900_000 if state < 0.9 else 0,
        thumbs=int(rng.paretovariate(0.8)) % 20_000,
        nsfw=rng.random() < 0.3,
        base_model=None if number % 41 == 7 else rng.choice(BASE_MODELS),
        published_at=EPOCH + timedelta(minutes=31 * number),
        versions=0 if number % 29 == 11 else rng.choice((1, 1, 1, 2, 3)),
        tags=tuple(rng.sample(("style", "character", "photo", "anime"), rng.randrange(3))),
        mode={13: "Archived", 14: "TakenDown"}.get(number % 53),
        withheld=number % 19 == 8,
    )
