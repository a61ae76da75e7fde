"""Pretrained models of A.6: where they are, how they are drawn with, what that costs.

The paper names SD 3.5-medium and FLUX.1-dev. Steps, guidance and size are ours: those of the
models' own examples. So are the region and the levels at which the ratio is taken.
"""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from localbias.checks import require, typed
from localbias.experiments import tiny

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)  # by √ᾱ, those of §4.3
MIDDLE = "0.375,0.375,0.625,0.625"  # the region, as shares of the sides
TINY: dict[str, Any] = dict(
    steps=4, size=64, text=32, region=(16.0, 16.0, 48.0, 32.0), levels=(0.2, 0.5), probes=4
)
NEEDED = ("accelerate", "diffusers", "transformers")


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
        architecture: its arguments, for the count of operations alone; `load` takes those of the
            weights. They were not compared with the published configuration.
        settings: those of the model's own example, and ours where it has none.
    """

    name: str
    weights: str
    pipeline: str
    transformer: str
    architecture: dict[str, Any]
    settings: Settings


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
            Settings(steps=40, guidance=4.5, size=1024, text=256, region=box_of(MIDDLE, 1024)),
        ),
        Model(
            "flux.1-dev",
            "black-forest-labs/FLUX.1-dev",
            "FluxPipeline",
            "FluxTransformer2DModel",
            dict(guidance_embeds=True),  # the rest by diffusers' defaults
            Settings(steps=50, guidance=3.5, size=1024, text=512, region=box_of(MIDDLE, 1024)),
        ),
    )
}


def model_of(name: str) -> Model:
    """The model of that name. ValueError where there is none."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    return MODELS[name]


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
    _require_libraries()
    import diffusers

    source, gpu = weights or model.weights, device == "cuda"
    try:
        pipeline = getattr(diffusers, model.pipeline).from_pretrained(
            source, dtype=torch.bfloat16 if gpu else torch.float32
        )
    except (OSError, ValueError) as error:
        why = str(error).strip().partition("\n")[0]
        raise OSError(
            f"the weights {source!r} cannot be had ({why}). Those on the hub are given to whoever "
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
    """The same model for `tiny_pipeline`: small pictures, few steps."""
    return replace(model, weights="random", settings=replace(model.settings, **TINY))


def tiny_pipeline(model: Model, seed: int = 0) -> Any:
    """A pipeline of the model's class, tiny and with random weights, ready as by `load`.

    Raises:
        ImportError: where a library is missing.
    """
    _require_libraries()
    return prepared(tiny.pipeline(model.pipeline, seed))


def _require_libraries() -> None:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ImportError(
            f"recent models need {' and '.join(missing)}: "
            "pip install -e '.[book,models]' -c constraints.txt"
        )
