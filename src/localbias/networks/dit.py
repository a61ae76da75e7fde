"""The paper's second network: DiT-S/8 (Peebles & Xie 2023), without labels or learned variance."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from localbias.networks.time import TimeEmbedding, sinusoidal
from localbias.seeds import random_generator

TIME_FEATURES = 256


def grid_positions(rows: int, columns: int, features: int, spacing: float = 1.0) -> Tensor:
    """Fixed sin-cos positions [rows · columns, features].

    The first half of the features encodes the column, the second half the row.

    Args:
        rows: of tokens.
        columns: of tokens.
        features: of a position.
        spacing: between neighbours. The published code has 1; the more, the better a small grid's
            positions can be told apart.
    """
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    halves = [sinusoidal(spacing * index.flatten(), features // 2) for index in (column, row)]
    return torch.cat(halves, dim=-1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x [B, N, width], normalised, then scaled and shifted as the time has it [B, 1, width]."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class Block(nn.Module):
    """Attention and an MLP, each modulated before and gated after by the time (adaLN-Zero).

    Args:
        width: of a token.
        heads: of the attention.
        mlp_ratio: the MLP's hidden width by `width`.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float):
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.heads = heads
        self.modulation = nn.Linear(width, 6 * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width)
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Tokens x [B, N, width] and the embedded time [B, width] to tokens [B, N, width]."""
        parts = self.modulation(F.silu(time))[:, None].chunk(6, dim=-1)
        shift1, scale1, gate1, shift2, scale2, gate2 = parts
        x = x + gate1 * self.attend(modulate(x, shift1, scale1))
        return x + gate2 * self.mlp(modulate(x, shift2, scale2))

    def attend(self, x: Tensor) -> Tensor:
        """Self-attention over tokens [B, N, width]."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class DiT(nn.Module):
    """Maps x [B, channels, H, W] and t int [B] to [B, channels, H, W] through a transformer.

    The defaults have 32,536,000 parameters: 32,511,424 that are trained and, counted as in the
    published code, the 24,576 of the fixed positions.

    Args:
        image_size: (H, W), or one number for both.
        channels: of the image.
        patch: pixels a side of the squares that the image is cut into, one token each.
        width: of a token.
        depth: blocks.
        heads: of each attention.
        mlp_ratio: each MLP's hidden width by `width`.
        spacing: between neighbouring tokens, as of `grid_positions`; None: every token's position
            is drawn from N(0, 1), so that all are told apart alike.

    Raises:
        ValueError: for a size not divisible by the patch, a width not divisible by 4 and by the
            heads, and numbers below 1.
    """

    def __init__(
        self,
        image_size: int | tuple[int, int] = 64,
        channels: int = 1,
        patch: int = 8,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        mlp_ratio: float = 4,
        spacing: float | None = 1.0,
    ):
        super().__init__()
        height_width = (
            (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        )
        if min(patch, depth, heads) < 1:
            raise ValueError(
                f"DiT patch={patch}, depth={depth}, heads={heads}; allowed: 1 or more of each"
            )
        if any(side % patch for side in height_width):
            raise ValueError(
                f"image size {height_width}; allowed for patch={patch}: multiples of the patch"
            )
        if spacing is not None and not spacing > 0:
            raise ValueError(f"DiT spacing={spacing}; allowed: above 0, or None for random ones")
        if width % 4 or width % heads:
            raise ValueError(f"DiT width={width}; allowed: multiples of 4 and of heads={heads}")
        self.patch = patch
        self.image_shape = (channels, *height_width)
        rows, columns = (side // patch for side in height_width)
        if spacing is None:  # from a generator of their own, so that other weights stay the same
            generator = random_generator("positions", rows, columns, width)
            positions = torch.randn(rows * columns, width, generator=generator)
        else:
            positions = grid_positions(rows, columns, width, spacing)
        self.positions = nn.Parameter(positions, requires_grad=False)
        self.time = TimeEmbedding(TIME_FEATURES, width, nn.SiLU())
        self.first = nn.Linear(channels * patch**2, width)
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
        self.modulation = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, channels * patch**2)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial weights; adaLN-Zero's zeros among them make the output 0 at first."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in self.time.layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
        for module in self.modules():
            if isinstance(module, Block | DiT):
                nn.init.zeros_(module.modulation.weight)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if x.shape[1:] != self.image_shape:
            raise ValueError(
                f"image shape {tuple(x.shape[1:])}; allowed for this DiT: {self.image_shape}"
            )
        patches = F.pixel_unshuffle(x, self.patch)  # [B, channels * patch**2, rows, columns]
        h = self.first(patches.flatten(2).mT) + self.positions
        time = self.time(t)
        for block in self.blocks:
            h = block(h, time)
        shift, scale = self.modulation(F.silu(time))[:, None].chunk(2, dim=-1)
        patches = self.last(modulate(h, shift, scale)).mT.unflatten(-1, patches.shape[2:])
        return F.pixel_shuffle(patches, self.patch)
