"""The networks that are compared, ours and those of other libraries, at one size and batch."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from localbias.experiments import Setup, catalogue

BATCH = 16
EXPERIMENTS = {"unet": "quarter-unet-470", "dit": "quarter-dit-470"}
# denoising-diffusion-pytorch's arguments, and those of diffusers that come nearest in parameters.
LIBRARY = {
    "laptop": dict(dim=16, dim_mults=(1, 2, 4), attn_heads=2, attn_dim_head=16),
    "paper": dict(dim=64),
    "smoke": dict(dim=8, dim_mults=(1, 2), attn_heads=1, attn_dim_head=8),
}
DIFFUSERS_UNET = {
    "laptop": dict(width=16, mults=(1, 2, 4), layers=1),
    "paper": dict(width=48, mults=(1, 2, 4, 8), layers=2),
    "smoke": dict(width=8, mults=(1, 2), layers=1),
}


class Task(NamedTuple):
    """One network at one size, and steps a turn."""

    kind: str
    tier: str
    steps: int

    @property
    def setup(self) -> Setup:
        """Its experiment, at 16 signals a step and with steps enough for any benchmark."""
        key = self[:2]
        if key not in _SETUPS:
            made = catalogue.make(EXPERIMENTS[self.kind], self.tier)
            training = replace(made.training, batch=BATCH, steps=10**6)
            _SETUPS[key] = Setup(made.replace(training=training, measure_at=(10**6,), keep=()))
        return _SETUPS[key]


_SETUPS: dict[tuple, Setup] = {}


def library_unet(task: Task) -> nn.Module:
    """denoising-diffusion-pytorch's UNet, of which ours is a copy."""
    from denoising_diffusion_pytorch import Unet

    return Unet(channels=1, **LIBRARY[task.tier])


def diffusers_unet(task: Task) -> nn.Module:
    """A UNet2DModel with about as many parameters, and attention where it is deepest."""
    from diffusers import UNet2DModel

    size = DIFFUSERS_UNET[task.tier]
    above = len(size["mults"]) - 1
    return UNet2DModel(
        in_channels=1,
        out_channels=1,
        block_out_channels=[size["width"] * mult for mult in size["mults"]],
        layers_per_block=size["layers"],
        down_block_types=["DownBlock2D"] * above + ["AttnDownBlock2D"],
        up_block_types=["AttnUpBlock2D"] + ["UpBlock2D"] * above,
        norm_num_groups=8,
        attention_head_dim=8,
    )


def diffusers_dit(task: Task, matched: bool) -> nn.Module:
    """A DiTTransformer2DModel of our shape.

    Each of its blocks has an embedding of 1,001 labels and of the time. `matched`: one label, and
    all blocks share one embedding, which leaves as many parameters as ours has.
    """
    from diffusers import DiTTransformer2DModel

    given = task.setup.experiment.network
    shape = dict(patch=8, width=384, depth=12, heads=6) | dict(given)
    model = DiTTransformer2DModel(
        in_channels=1,
        out_channels=1,
        sample_size=task.setup.renderer.shape[-1],
        patch_size=shape["patch"],
        num_layers=shape["depth"],
        num_attention_heads=shape["heads"],
        attention_head_dim=shape["width"] // shape["heads"],
        num_embeds_ada_norm=1 if matched else 1000,
    )
    if matched:
        first, *others = model.transformer_blocks
        for block in others:
            block.norm1.emb = first.norm1.emb
    return model


def noise_of(model: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """A diffusers model as a function of x_t and t [B]."""
    if type(model).__name__ == "DiTTransformer2DModel":
        return lambda x, t: model(x, t, class_labels=torch.zeros_like(t)).sample
    return lambda x, t: model(x, t).sample


def about(turn: Callable[[], object], model: nn.Module, steps: int) -> dict:
    """Warms up, and tells parameters and floating-point operations a step."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        turn()  # of the fused kernels of attention the counter knows nothing
    parameters = sum(p.numel() for p in model.parameters())
    return {"parameters": parameters, "flops": counter.get_total_flops() / steps}


def matrix_product() -> tuple[Callable[[], object], dict]:
    """The machine's ceiling: products of 1,024 × 1,024 matrices in single precision."""
    a, b = torch.randn(2, 1024, 1024)
    return lambda: [a @ b for _ in range(10)], {"flops": 10 * 2 * 1024**3}
