"""Recent models (A.6; the digest's next check 1): what they write, and how locally they draw it.

The paper draws pictures of three prompts by SD 3.5-medium and FLUX.1-dev, with seeds 0 to 2, and
finds text that is none. Here the same are drawn with diffusers' pipelines (`pretrained`), read by
Tesseract, and probed along their sampling: `measure.latents` says of which function the ratio is
taken. What counts as a word is ours.

A folder holds for each model a JSON with everything, and the pictures beside it. What is there is
not drawn again.
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from PIL import Image

from localbias.experiments.pretrained import NEEDED, Settings
from localbias.ldr import Products
from localbias.measure import Step, latent_products, latent_region, nearest, watched
from localbias.reading import tesseract
from localbias.reading.words import MISSPELT, classify, english
from localbias.seeds import random_generator
from localbias.statistics import RankCorrelation, rank_correlation
from localbias.store import code_version, process_of, write_atomically

PROMPTS = ("A piece of calligraphy art", "A newspaper reporting news", "A blackboard with formulas")
SEEDS = (0, 1, 2)
LETTERS = 4  # of a word that is counted: nearly any two or three letters are in the list of words
MEAN = "mean"  # of the levels, beside them


class Album:
    """The pictures of one model in a folder.

    Args:
        folder: that the user named; the model's own lies in it.
        name: of the model.
        settings: how pictures are drawn and probed.
        weights: which.

    Raises:
        ValueError: where the folder holds pictures of other settings or weights, or a file that is
            no album.
    """

    def __init__(self, folder: Path, name: str, settings: Settings, weights: str):
        self.folder, self.name = folder / name, name
        self.settings, self.weights = settings, weights
        self.file = self.folder / "pictures.json"
        self.pictures: list[dict[str, Any]] = []
        if self.file.exists():
            self.pictures = self._stored()

    def find(self, prompt: str, seed: int) -> dict[str, Any] | None:
        """A picture's entry; None where it, or its PNG, is not there."""
        for entry in self.pictures:
            if (entry["prompt"], entry["seed"]) == (prompt, seed):
                return entry if (self.folder / entry["file"]).exists() else None
        return None

    def add(self, image: Any, entry: dict[str, Any]) -> None:
        """Write a picture, then all that is known of them."""
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        write_atomically(self.folder / entry["file"], buffer.getvalue())
        same = (entry["prompt"], entry["seed"])
        others = [old for old in self.pictures if (old["prompt"], old["seed"]) != same]
        self.pictures = [*others, entry]
        whole = {
            "model": self.name,
            "weights": self.weights,
            "settings": asdict(self.settings),
            "pictures": self.pictures,
        }
        text = json.dumps(whole, indent=1, ensure_ascii=False)
        write_atomically(self.file, text.encode())

    def _stored(self) -> list[dict[str, Any]]:
        try:
            whole = json.loads(self.file.read_text(encoding="utf-8"))
            then, pictures = whole["settings"] | {"weights": whole["weights"]}, whole["pictures"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.file} is no album of pictures; name another folder") from None
        now = json.loads(json.dumps(asdict(self.settings) | {"weights": self.weights}))
        for name in now:
            if now[name] != then.get(name):
                raise ValueError(
                    f"{self.file} holds pictures of {name}={then.get(name)!r}, not {now[name]!r}; "
                    "name another folder, or the same settings"
                )
        return pictures


def draw(
    album: Album,
    prompts: Sequence[str],
    seeds: Sequence[int],
    pipeline: Callable[[], Any],
    device: str = "cpu",
) -> Iterator[dict[str, Any]]:
    """Draw, read and probe the pictures that an album lacks; yields each entry, old ones too.

    Args:
        album: where they go.
        prompts: what to draw.
        seeds: of the noise that each begins with.
        pipeline: gives the pipeline; called once, before the first picture that is drawn.
        device: for the entry.
    """
    ready: Any = None
    for prompt in prompts:
        for seed in seeds:
            entry = album.find(prompt, seed)
            if entry is None:
                ready = ready or _ready(pipeline)
                image, entry = _drawn(ready, album.settings, prompt, seed, device)
                album.add(image, entry)
            yield entry


def _ready(pipeline: Callable[[], Any]) -> Any:
    """The pipeline, once it is known that its pictures can be read."""
    tesseract.words(Image.new("RGB", (64, 64)))
    english()
    return pipeline()


def _drawn(
    pipeline: Any, settings: Settings, prompt: str, seed: int, device: str
) -> tuple[Any, dict[str, Any]]:
    began, size = monotonic(), settings.size
    region = latent_region(pipeline, settings.region, size, size)
    image, steps = watched(
        pipeline,
        prompt,
        seed,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        max_sequence_length=settings.text,
        height=size,
        width=size,
    )
    generator = random_generator("recent", prompt, seed)
    levels = []
    for step in nearest(steps, settings.levels):
        x0, velocity = latent_products(
            pipeline.transformer, step, region, settings.probes, generator, settings.guidance
        )
        levels.append(_level(step, x0, velocity))
    pipeline.maybe_free_model_hooks()  # the products brought the transformer back to the GPU
    entry = {
        "prompt": prompt,
        "seed": seed,
        "file": _file(prompt, seed),
        "words": [list(word) for word in tesseract.words(image)],
        "chance": float(region.float().mean()),
        "levels": levels,
        "origin": process_of(
            code=code_version(),
            device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
            threads=torch.get_num_threads(),
            libraries=("torch", *NEEDED, "tesserocr"),
            steps=(0, settings.steps),
            seconds=monotonic() - began,
        ),
    }
    return image, entry


def _level(step: Step, x0: Products, velocity: Products) -> dict[str, Any]:
    """What is kept of one step; a ratio is None where the Jacobian vanishes."""

    def kept(found: Products) -> dict[str, Any]:
        gone = bool(found.vanishing)
        return {
            "ratio": None if gone else float(found.ratio),
            "error": None if gone else float(found.standard_error),
            "moments": found.moments[0].tolist(),
        }

    return {
        "sigma": step.sigma,
        "signal": step.signal,
        "x0": kept(x0),
        "velocity": kept(velocity),
    }


def _file(prompt: str, seed: int) -> str:
    """The name of a picture's file; a hash tells prompts apart that it would write alike."""
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60]
    if words.replace("-", " ") != prompt.lower():
        words += "-" + hashlib.sha256(prompt.encode()).hexdigest()[:6]
    return f"{words}-{seed}.png"


def spelling(entry: dict[str, Any], confidence: float = tesseract.CONFIDENCE) -> tuple[int, int]:
    """How many words a picture shows, and how many of them are misspelt.

    A word is what was read with some confidence and has at least LETTERS letters and nothing else.
    It is misspelt if no list of English has it.
    """
    texts = [text for text, sure in entry["words"] if sure >= confidence]
    kinds = classify([text for text in texts if len(text) >= LETTERS and text.isalpha()], ())
    return len(kinds), kinds.count(MISSPELT)


def ratios(entry: dict[str, Any]) -> dict[str, float | None]:
    """The ratio of x̂_0 at each level by its √ᾱ, then their mean; None where there is none."""
    found = {f"{level['signal']:.2f}": level["x0"]["ratio"] for level in entry["levels"]}
    there = [ratio for ratio in found.values() if ratio is not None]
    return found | {MEAN: float(np.mean(there)) if len(there) == len(found) else None}


def correlations(
    pictures: Sequence[dict[str, Any]], within: bool = False
) -> dict[str, RankCorrelation | None]:
    """The rank correlation of the ratio and the share of misspelt words, over pictures.

    Pictures without a word have no share, and are left out; so are those without a ratio.

    Args:
        pictures: of one model.
        within: each prompt by itself. Prompts differ in what they ask to be written, so that they
            alone can make a correlation.

    Returns:
        For each level, and for the mean of the levels; None where it cannot be told.
    """
    counted = [(entry, *spelling(entry)) for entry in pictures]
    shares = [(entry, wrong / words) for entry, words, wrong in counted if words]
    found: dict[str, RankCorrelation | None] = {}
    for level in dict.fromkeys(level for entry in pictures for level in ratios(entry)):
        rows = [
            (ratio, share, entry["prompt"])
            for entry, share in shares
            if (ratio := ratios(entry).get(level)) is not None
        ]
        x, y, prompts = zip(*rows) if rows else ((), (), ())
        found[level] = rank_correlation(x, y, prompts if within else None)
    return found
