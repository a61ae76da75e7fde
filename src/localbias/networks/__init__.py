"""The denoising networks: a dense MLP, the paper's UNet and its DiT.

Each is a torch module that maps x [B, *shape] and t int [B] to [B, *shape].
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

KINDS = ("mlp", "unet", "dit")


def make(kind: str, shape: Sequence[int], **options) -> nn.Module:
    """The network `kind` for signals of `shape`: (L,) for scalars, (channels, height, width) for images.

    `options` are the remaining arguments of `MLP`, `UNet` or `DiT`. Raises ValueError for an unknown kind or
    option, and for a shape that the network cannot take.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown network {kind!r}; known: {', '.join(KINDS)}")
    if kind != "mlp" and len(shape) != 3:
        raise ValueError(f"{kind} for shape {tuple(shape)}; allowed: images (channels, height, width)")
    # Imported here, so that the command line can name the networks without loading torch.
    if kind == "mlp":
        from localbias.networks.mlp import MLP as network
        given = {"shape": shape}
    elif kind == "unet":
        from localbias.networks.unet import UNet as network
        given = {"channels": shape[0]}
    else:
        from localbias.networks.dit import DiT as network
        given = {"image_size": tuple(shape[1:]), "channels": shape[0]}

    allowed = [name for name in inspect.signature(network).parameters if name not in given]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise ValueError(f"unknown option {', '.join(unknown)} of {kind}; known: {', '.join(allowed)}")
    made = network(**given, **options)
    if kind == "unet":
        made.check_size(*shape[1:])
    return made
