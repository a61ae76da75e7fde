"""The paper's UNet (§4.2, A.5): taken to be `Unet(dim=64)` of denoising-diffusion-pytorch.

The tests copy our weights into that library's network and compare the outputs. `width`, `mults` and
the heads scale it down to what a laptop trains.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from localbias.networks.norm import RMSNorm
from localbias.networks.time import TimeEmbedding

MEMORY = 4  # learned keys and values that every attention sees beside the pixels'


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions; the embedded time scales and shifts the channels after the first."""

    def __init__(self, channels_in: int, channels_out: int, time_width: int):
        super().__init__()
        self.scale_shift = nn.Linear(time_width, 2 * channels_out)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm1 = RMSNorm(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.norm2 = RMSNorm(channels_out)
        same = channels_in == channels_out
        self.skip = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x [B, channels_in, H, W], time [B, time_width] to [B, channels_out, H, W]."""
        scale, shift = self.scale_shift(F.silu(time))[..., None, None].chunk(2, dim=1)
        h = F.silu(self.norm1(self.conv1(x), scale + 1, shift))
        h = F.silu(self.norm2(self.conv2(h)))
        return h + self.skip(x)


class Attention(nn.Module):
    """Full attention between all pixels, added to its input: cost is quadratic in the pixels."""

    def __init__(self, channels: int, heads: int, head_width: int):
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.norm = RMSNorm(channels)
        self.memory = nn.Parameter(torch.randn(2, heads, head_width, MEMORY))  # keys, values
        self.qkv = nn.Conv2d(channels, 3 * inner, 1, bias=False)
        self.out = self.readout(inner, channels)

    def readout(self, inner: int, channels: int) -> nn.Module:
        """What maps the mixed heads back to the channels."""
        return nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, channels, H, W] to the same shape."""
        qkv = self.qkv(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1))
        q, k, v = qkv.unbind(1)  # [B, heads, head_width, pixels]
        memory_k, memory_v = self.memory[:, None].expand(-1, len(x), -1, -1, -1)
        mixed = self.mix(q, torch.cat([memory_k, k], dim=-1), torch.cat([memory_v, v], dim=-1))
        return x + self.out(mixed.flatten(1, 2).unflatten(-1, x.shape[2:]))

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys and values [B, heads, head_width, N] to mixed values, one a query."""
        # The CPU's fused kernel takes three times as long where tokens are not contiguous.
        q, k, v = (z.mT.contiguous() for z in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).mT


class LinearAttention(Attention):
    """Attention through a head_width × head_width summary of the image (Shen et al. 2018).

    Its cost is linear in the pixels.
    """

    def readout(self, inner: int, channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inner, channels, 1), RMSNorm(channels))

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        summary = v @ k.softmax(dim=-1).mT * q.shape[-2] ** -0.5
        return summary @ q.softmax(dim=-2)


class Stage(nn.Module):
    """Two residual blocks and an attention, then a change of resolution and channels."""

    def __init__(
        self, inputs: int, channels: int, time_width: int, attention: nn.Module, resample: nn.Module
    ):
        super().__init__()
        self.block1 = ResidualBlock(inputs, channels, time_width)
        self.block2 = ResidualBlock(inputs, channels, time_width)
        self.attention = attention
        self.resample = resample


class DownStage(Stage):
    """A stage on the way down, which hands what its blocks give to the stage opposite."""

    def forward(self, h: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """h [B, C, H, W] to the next stage's input, and two skip connections [B, C, H, W]."""
        first = self.block1(h, time)
        second = self.attention(self.block2(first, time))
        return self.resample(second), first, second


class UpStage(Stage):
    """A stage on the way up, which joins the skips of the stage opposite to its input."""

    def forward(self, h: Tensor, skip1: Tensor, skip2: Tensor, time: Tensor) -> Tensor:
        """h [B, C, H, W] and the two skips, the later one first, to the next stage's input."""
        h = self.block1(torch.cat([h, skip1], dim=1), time)
        h = self.block2(torch.cat([h, skip2], dim=1), time)
        return self.resample(self.attention(h))


def halve(channels_in: int, channels_out: int) -> nn.Module:
    """A layer to half the height and width."""
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * channels_in, channels_out, 1))


def double(channels_in: int, channels_out: int) -> nn.Module:
    """A layer to twice the height and width."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(channels_in, channels_out, 3, padding=1)
    )


def keep(channels_in: int, channels_out: int) -> nn.Module:
    """A layer to the same height and width."""
    return nn.Conv2d(channels_in, channels_out, 3, padding=1)


class UNet(nn.Module):
    """Maps x [B, channels, H, W] and t int [B] to [B, channels, H, W] through a convolutional UNet.

    Stage i works on the image halved i times, and hands `width * mults[i]` channels on to the next.
    Attention is full in the deepest stage and the middle, linear above. A condition [B, 4 width] is
    added to the embedded time (`Labelled`). The defaults have 35,705,089 parameters.

    Attributes:
        downsampling: H and W are multiples of it.

    Args:
        channels: of the image.
        width: channels of the first layer.
        mults: by which each stage multiplies `width`.
        heads: of each attention.
        head_width: channels of a head.

    Raises:
        ValueError: for a width that is odd or below 4, for empty mults and for numbers below 1.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 64,
        mults: Sequence[int] = (1, 2, 4, 8),
        heads: int = 4,
        head_width: int = 32,
    ):
        super().__init__()
        if not mults or min(*mults, heads, head_width) < 1:
            given = f"mults={mults}, heads={heads}, head_width={head_width}"
            raise ValueError(f"UNet {given}; allowed: 1 or more of each")
        self.downsampling = 2 ** (len(mults) - 1)
        time_width = 4 * width
        self.time = TimeEmbedding(width, time_width, nn.GELU(), inclusive=True)
        self.first = nn.Conv2d(channels, width, 7, padding=3)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        widths = [width, *(width * m for m in mults)]
        for i, (shallow, deep) in enumerate(pairwise(widths)):
            attention = Attention if i == len(mults) - 1 else LinearAttention
            shrink = keep if i == len(mults) - 1 else halve
            grow = keep if i == 0 else double
            attend, resample = attention(shallow, heads, head_width), shrink(shallow, deep)
            self.down.append(DownStage(shallow, shallow, time_width, attend, resample))
            attend, resample = attention(deep, heads, head_width), grow(deep, shallow)
            self.up.insert(0, UpStage(deep + shallow, deep, time_width, attend, resample))

        self.middle1 = ResidualBlock(deep, deep, time_width)
        self.middle_attention = Attention(deep, heads, head_width)
        self.middle2 = ResidualBlock(deep, deep, time_width)
        self.last_block = ResidualBlock(2 * width, width, time_width)
        self.last = nn.Conv2d(width, channels, 1)

    def check_size(self, height: int, width: int) -> None:
        """Raises ValueError unless both are multiples of `downsampling`."""
        if height % self.downsampling or width % self.downsampling:
            allowed = f"multiples of {self.downsampling}"
            raise ValueError(f"image size {(height, width)}; allowed for this UNet: {allowed}")

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        self.check_size(*x.shape[2:])
        time = self.time(t) if condition is None else self.time(t) + condition
        h = first = self.first(x)
        skips: list[Tensor] = []
        for stage in self.down:
            h, *found = stage(h, time)
            skips += found
        h = self.middle1(h, time)
        h = self.middle2(self.middle_attention(h), time)
        for stage in self.up:
            h = stage(h, skips.pop(), skips.pop(), time)
        return self.last(self.last_block(torch.cat([h, first], dim=1), time))
