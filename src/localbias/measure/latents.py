"""The ratio in the latents of a text-to-image pipeline, along its sampling (A.6; flow matching).

SD 3.5 and FLUX.1 hold latents x_t = (1 − σ) x_0 + σ ε, and their transformer predicts the velocity
v = ε − x_0 (Esser et al. 2024). So what it makes of the picture is

    x̂_0(x_t) = x_t − σ v(x_t, σ, text),

and that is the function whose ratio is taken, at one step of the sampler: with its σ, its text, and
the v that the sampler follows. Under classifier-free guidance by w this is v_∅ + w (v_text − v_∅).
The velocity's own Jacobian is (I − J)/σ if that of x̂_0 is J, so its ratio comes from the same
products.

A ratio does not change when x_t is scaled. So the level σ is the diffusion level that has as much
signal for its noise: √ᾱ = (1 − σ) / √((1 − σ)² + σ²).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from localbias.ldr import Products, local_dependency_ratio

ROUNDING = 8.0  # units of the weights' precision up to which a number of the Jacobian is rounding


@dataclass(frozen=True)
class Step:
    """One step of a sampler: what its transformer was called with.

    Attributes:
        sigma: the noise level.
        inputs: the transformer's, by name; `hidden_states` are the latents [1, *shape], or twice
            the same [2, *shape] without and with the text.
    """

    sigma: float
    inputs: dict[str, Any]

    @property
    def signal(self) -> float:
        """The √ᾱ of the same level."""
        return signal_of(self.sigma)

    @property
    def latents(self) -> Tensor:
        """x_t [1, *shape], float32."""
        return self.inputs["hidden_states"][:1].detach().float()


def signal_of(sigma: float) -> float:
    """The √ᾱ at which a diffusion has as much signal for its noise as a flow has at σ."""
    return (1 - sigma) / math.hypot(1 - sigma, sigma)


def watched(pipeline: Any, prompt: str, seed: int, **options: Any) -> tuple[Any, list[Step]]:
    """Draw a picture, and keep what the transformer was called with.

    Args:
        pipeline: diffusers' for Stable Diffusion 3 or FLUX.1.
        prompt: what to draw.
        seed: of the noise that it begins with, drawn on the CPU.
        options: of the pipeline's call.

    Returns:
        What the pipeline returns as its image, and the steps.

    Raises:
        ValueError: for a pipeline that does not call its transformer once a step.
    """
    calls: list[dict[str, Any]] = []
    handle = pipeline.transformer.register_forward_pre_hook(
        lambda _module, _arguments, inputs: calls.append(dict(inputs)), with_kwargs=True
    )
    try:
        generator = torch.Generator("cpu").manual_seed(seed)
        (image,) = pipeline(prompt, generator=generator, **options).images
    finally:
        handle.remove()
    sigmas = pipeline.scheduler.sigmas[:-1].tolist()  # the last one is 0, where nothing is called
    if len(calls) != len(sigmas):
        raise ValueError(
            f"the pipeline called its transformer {len(calls)} times in {len(sigmas)} steps; "
            "allowed: once a step, with both halves of a guidance in one batch"
        )
    return image, [Step(sigma, inputs) for sigma, inputs in zip(sigmas, calls)]


def nearest(steps: Sequence[Step], levels: Sequence[float]) -> list[Step]:
    """The steps that come nearest to levels by √ᾱ, in the order of sampling, each once."""
    places = {
        min(range(len(steps)), key=lambda place: abs(steps[place].signal - level))
        for level in levels
    }
    return [steps[place] for place in sorted(places)]


def latent_region(pipeline: Any, box: Sequence[float], width: int, height: int) -> Tensor:
    """The latents whose centres lie in a box of the picture.

    Args:
        pipeline: whose latents. FLUX.1 packs 2 × 2 of them into one token; so is the region then.
        box: left, top, right, bottom in pixels.
        width: of the picture, in pixels.
        height: of the picture.

    Returns:
        bool `[*shape]` of one picture's latents as the transformer takes them: [channels, h, w],
        or packed [tokens, 4 · channels].

    Raises:
        ValueError: for a box that holds no latent's centre, and for one that holds all of them.
    """
    left, top, right, bottom = box
    cell, channels = pipeline.vae_scale_factor, pipeline.vae.config.latent_channels
    across, down = ((torch.arange(side // cell) + 0.5) * cell for side in (width, height))
    columns = (left <= across) & (across < right)
    rows = (top <= down) & (down < bottom)
    mask = rows[:, None] & columns
    if not mask.any() or mask.all():
        raise ValueError(
            f"region={tuple(box)}; allowed: left, top, right, bottom of a part of "
            f"{width} × {height} pixels that holds the middle of at least one {cell} × {cell} cell"
        )
    masks = mask.expand(1, channels, -1, -1)
    if hasattr(pipeline, "_pack_latents"):
        masks = pipeline._pack_latents(masks, 1, channels, *mask.shape)
    return masks[0].clone()


class Prediction:
    """x̂_0 at one step, as a function of the latents: float32 [1, *shape] to the same.

    Args:
        transformer: that was called.
        step: with what.
        guidance: w of classifier-free guidance; it counts where the step has both halves.

    Raises:
        ValueError: for a step of more than one picture.
    """

    def __init__(self, transformer: Any, step: Step, guidance: float = 1.0):
        self.transformer, self.step, self.guidance = transformer, step, guidance
        self.copies = len(step.inputs["hidden_states"])
        if self.copies not in (1, 2):
            raise ValueError(f"latents of {self.copies} pictures; allowed: one at a time")

    def __call__(self, x: Tensor) -> Tensor:
        kept = self.step.inputs["hidden_states"].dtype
        inputs = self.step.inputs | {
            "hidden_states": torch.cat([x] * self.copies).to(kept),
            "return_dict": False,
        }
        velocity = self.transformer(**inputs)[0].float()
        if self.copies == 2:
            without, text = velocity.chunk(2)
            velocity = without + self.guidance * (text - without)
        return x - self.step.sigma * velocity


def latent_products(
    transformer: Any,
    step: Step,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    guidance: float = 1.0,
) -> tuple[Products, Products]:
    """What vector-Jacobian products say of x̂_0 and of v in a region, at one step.

    The two differ by an identity, and where x̂_0 hardly depends on x_t, at high noise, what is left
    of it beside that identity is rounding. Where each number's share of ‖J_R‖² is below that of
    the weights' precision the Jacobian counts as vanishing.

    Args:
        transformer: diffusers', in evaluation mode.
        step: with what it was called.
        region: bool `[*shape]`, of `latent_region`.
        probes: vectors; None for the exact ratio.
        generator: of the vectors.
        guidance: w of classifier-free guidance.

    Returns:
        The products of x̂_0 and those of v, which are lost to rounding where σ is small.
    """
    precision = torch.finfo(step.inputs["hidden_states"].dtype).eps
    found = local_dependency_ratio(
        Prediction(transformer, step, guidance),
        step.latents,
        region,
        probes,
        generator,
        chunk=1,  # of attention over thousands of tokens one gradient at a time is enough
        resolution=ROUNDING * precision,
        details=True,
    )
    rounding = (ROUNDING * precision) ** 2 * int(region.sum())
    found = replace(found, floor=found.floor.clamp(min=rounding))
    return found, found.converted(slope=-1 / step.sigma, shift=1 / step.sigma)
