"""Recent models (A.6; the digest's next check 1): what they write, and how locally they draw it.

The paper draws pictures by SD 3.5-medium and FLUX.1-dev, of three prompts and the seeds 0 to 2, and
finds text that is none. Here the same are drawn with diffusers' pipelines, read by Tesseract, and
probed along their sampling: `measure.latents` says of which function the ratio is taken. What the
paper does not print is ours: steps, guidance and size as in the models' own examples, the region,
the levels (the paper's five), and what counts as a word.

A folder holds for each model a JSON with everything and the pictures beside it. What is there is
not drawn again.
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from localbias.checks import require, typed
from localbias.experiments import tiny
from localbias.ldr import Products
from localbias.measure import Step, latent_products, latent_region, nearest, watched
from localbias.reading import tesseract
from localbias.reading.words import ENGLISH, MISSPELT, classify
from localbias.seeds import random_generator
from localbias.statistics import RankCorrelation, rank_correlation
from localbias.store import code_version, process_of, write_atomically

PROMPTS = ("A piece of calligraphy art", "A newspaper reporting news", "A blackboard with formulas")
SEEDS = (0, 1, 2)
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)  # by √ᾱ, those of §4.3
LETTERS = 4  # of a word that is counted: nearly any two or three letters are in the list of words
NEEDED = ("accelerate", "diffusers", "transformers")
MEAN = "mean"  # of the levels, beside them


@dataclass(frozen=True)
class Settings:
    """How the pictures of a model are drawn and probed.

    Attributes:
        steps: of the sampler.
        guidance: w of classifier-free guidance, or what a model that was distilled takes for it.
        size: of the square picture in pixels, a multiple of 16.
        text: tokens that the T5 encoder may take.
        region: left, top, right, bottom in pixels.
        levels: by √ᾱ; at the steps that come nearest the ratio is taken.
        probes: vector-Jacobian products a step.

    Raises:
        ValueError: for a field out of range.
    """

    steps: int
    guidance: float
    size: int
    text: int
    region: tuple[float, ...]
    levels: tuple[float, ...] = LEVELS
    probes: int = 8

    def __post_init__(self):
        typed(self)
        require(self, "steps", self.steps >= 1, "at least 1")
        require(self, "guidance", self.guidance >= 0, "from 0")
        require(self, "size", self.size > 0 and self.size % 16 == 0, "multiples of 16")
        require(self, "text", self.text >= 1, "at least 1")
        require(self, "region", len(self.region) == 4, "left, top, right, bottom")
        inside = bool(self.levels) and all(0 <= level <= 1 for level in self.levels)
        require(self, "levels", inside, "one or more, 0 to 1")
        require(self, "probes", self.probes >= 2, "at least 2")


@dataclass(frozen=True)
class Model:
    """A model of A.6.

    Attributes:
        name: as it is called here.
        weights: where they lie on the Hugging Face hub.
        pipeline: diffusers' class.
        transformer: diffusers' class of the network that is probed.
        architecture: its arguments, as its published configuration has them.
        settings: those of the model's own example, and ours where it has none.
    """

    name: str
    weights: str
    pipeline: str
    transformer: str
    architecture: dict[str, Any]
    settings: Settings


CENTRE = (384.0, 384.0, 640.0, 640.0)  # a quarter of each side of 1024 pixels
MODELS = {
    model.name: model
    for model in (
        Model(
            "sd-3.5-medium",
            "stabilityai/stable-diffusion-3.5-medium",
            "StableDiffusion3Pipeline",
            "SD3Transformer2DModel",
            dict(
                sample_size=128,
                in_channels=16,
                out_channels=16,
                num_layers=24,
                attention_head_dim=64,
                num_attention_heads=24,
                joint_attention_dim=4096,
                caption_projection_dim=1536,
                pooled_projection_dim=2048,
                pos_embed_max_size=384,
                dual_attention_layers=tuple(range(13)),
                qk_norm="rms_norm",
            ),
            Settings(steps=40, guidance=4.5, size=1024, text=256, region=CENTRE),
        ),
        Model(
            "flux.1-dev",
            "black-forest-labs/FLUX.1-dev",
            "FluxPipeline",
            "FluxTransformer2DModel",
            dict(guidance_embeds=True),  # diffusers' defaults are this model's
            Settings(steps=50, guidance=3.5, size=1024, text=512, region=CENTRE),
        ),
    )
}
TINY = dict(steps=4, size=64, text=32, region=(16.0, 16.0, 48.0, 32.0), probes=4)


def model_of(name: str) -> Model:
    """The model of that name. ValueError where there is none."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    return MODELS[name]


def box_of(text: str, size: int) -> tuple[float, ...]:
    """A region "left,top,right,bottom" in pixels of a square picture.

    Args:
        text: pixels, or shares of the sides where no number is above 1.
        size: of the picture.

    Raises:
        ValueError: for anything else.
    """
    try:
        box = tuple(float(part) for part in text.split(","))
        left, top, right, bottom = box
    except ValueError:
        box = left, top, right, bottom = (1.0, 1.0, 0.0, 0.0)
    if max(box) <= 1:
        left, top, right, bottom = box = tuple(size * side for side in box)
    if not (0 <= left < right <= size and 0 <= top < bottom <= size):
        raise ValueError(
            f"region={text!r}; allowed: left,top,right,bottom in pixels from 0 to {size}, or as "
            "shares from 0 to 1, such as 0.25,0.25,0.75,0.75"
        )
    return box


def load(model: Model, weights: str | None = None, device: str = "cpu") -> Any:
    """A model's pipeline, ready to draw and to be probed.

    On a GPU its parts are in bfloat16, and each is there only while it works.

    Args:
        model: which.
        weights: a folder, or another name on the hub; None: the model's own.
        device: cpu or cuda.

    Raises:
        ImportError: where a library is missing.
        OSError: where the weights cannot be had.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ImportError(
            f"recent models need {' and '.join(missing)}: pip install 'localbias[models]'"
        )
    import diffusers

    source, gpu = weights or model.weights, device == "cuda"
    try:
        pipeline = getattr(diffusers, model.pipeline).from_pretrained(
            source, torch_dtype=torch.bfloat16 if gpu else torch.float32
        )
    except (OSError, ValueError) as error:
        told = str(error).strip().partition("\n")[0]
        raise OSError(
            f"the weights {source!r} cannot be had ({told}). Those on the hub are given to whoever "
            "has accepted their licence on the model's page and logged in with `hf auth login`; "
            "--weights names a folder that has them"
        ) from error
    if gpu:
        pipeline.enable_model_cpu_offload()
    return prepared(pipeline)


def prepared(pipeline: Any) -> Any:
    """The same pipeline, its transformer in evaluation mode and without gradients of its own.

    Attention is computed in its plain form while products are taken, so the forward pass of one
    block at a time is kept and made again (checkpointing).
    """
    pipeline.transformer.eval().requires_grad_(False)
    pipeline.transformer.enable_gradient_checkpointing()
    return pipeline


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
                ready = ready or pipeline()
                image, entry = _drawn(ready, album.settings, prompt, seed, device)
                album.add(image, entry)
            yield entry


def _drawn(
    pipeline: Any, settings: Settings, prompt: str, seed: int, device: str
) -> tuple[Any, dict[str, Any]]:
    began, size = monotonic(), settings.size
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
    region = latent_region(pipeline, settings.region, size, size)
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
        "words": tesseract.words(image),
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
    return len(kinds), kinds.count(MISSPELT) if set(kinds) <= {MISSPELT, ENGLISH} else -1


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


def operations(model: Model) -> tuple[int, float, float]:
    """The size of a model's transformer, and the arithmetic of one of its pictures.

    Nothing is computed: the network's shapes alone are followed. Text encoders and decoder, which
    run once a picture, are left out.

    Args:
        model: with its settings.

    Returns:
        Parameters; additions and multiplications of drawing; and those of taking the products.
    """
    import diffusers

    settings, made = model.settings, model.architecture
    with torch.device("meta"):
        transformer = getattr(diffusers, model.transformer)(**made).requires_grad_(False)
        side = settings.size // 8
        width, pooled = (
            transformer.config[f"{name}_dim"] for name in ("joint_attention", "pooled_projection")
        )
        inputs = {"timestep": torch.empty(1), "pooled_projections": torch.empty(1, pooled)}
        if model.pipeline == "FluxPipeline":
            latents, text, halves = torch.empty(1, side**2 // 4, 64), settings.text, 1
            inputs |= {"guidance": torch.empty(1), "txt_ids": torch.empty(text, 3)}
            inputs |= {"img_ids": torch.empty(side**2 // 4, 3)}
        else:
            latents, text, halves = torch.empty(1, 16, side, side), 77 + settings.text, 2
        inputs |= {"encoder_hidden_states": torch.empty(1, text, width)}
        with FlopCounterMode(display=False) as forward:
            latents.requires_grad_()
            (output,) = transformer(hidden_states=latents, **inputs, return_dict=False)
        with FlopCounterMode(display=False) as backward:
            torch.autograd.grad(output, latents, torch.empty_like(output))
    once, back = forward.get_total_flops(), backward.get_total_flops()
    parameters = sum(parameter.numel() for parameter in transformer.parameters())
    product = once + back  # with checkpoints the forward pass is made again
    probing = len(settings.levels) * (once + settings.probes * product)
    return parameters, float(halves * settings.steps * once), float(halves * probing)


def smoke(model: Model) -> Model:
    """The same model, tiny."""
    whole = {field.name: getattr(model.settings, field.name) for field in fields(Settings)}
    own = {field.name: getattr(model, field.name) for field in fields(Model)}
    return Model(**own | {"settings": Settings(**whole | TINY)})


def tiny_pipeline(model: Model) -> Any:
    """A pipeline of the model's class, with random weights."""
    return prepared(tiny.pipeline(model.pipeline))
