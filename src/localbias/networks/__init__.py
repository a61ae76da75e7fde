"""The denoising networks: dense MLPs, a permutation-equivariant one, the paper's UNet and its DiT.

Each is a torch module that maps x `[B, *shape]` and t int [B] to `[B, *shape]`, and knows nothing
of what its output is read as. Here lives every architecture, one a module.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from localbias.networks.dit import DiT
from localbias.networks.equivariant import Equivariant
from localbias.networks.labelled import Labelled
from localbias.networks.layernorm import LayerNormMLP
from localbias.networks.mlp import MLP
from localbias.networks.unet import UNet
from localbias.registry import Registry

NETWORKS: Registry[nn.Module] = Registry(
    "network",
    {
        "mlp": MLP,
        "layernorm": LayerNormMLP,
        "equivariant": Equivariant,
        "unet": UNet,
        "dit": DiT,
        "labelled": Labelled,
    },
)
register = NETWORKS.register


def make(kind: str, shape: Sequence[int], **options: Any) -> nn.Module:
    """The network of that kind for signals of one shape.

    Args:
        kind: "mlp", "layernorm", "equivariant", "unet", "dit", "labelled", or the name of one that
            was registered. What is registered is called with `shape` and the options.
        shape: of a signal: (L,) for scalars, (channels, height, width) for images.
        options: the remaining arguments of its class. The network of "labelled" is a kind with
            options itself.

    Raises:
        ValueError: for an unknown kind or option, and for a shape that the network cannot take.
    """
    if kind in ("unet", "dit") and len(shape) != 3:
        raise ValueError(
            f"{kind} for shape {tuple(shape)}; allowed: images (channels, height, width)"
        )
    if kind == "labelled" and isinstance(options.get("network"), dict):
        inner = dict(options["network"])
        options["network"] = make(inner.pop("kind"), shape, **inner)
        return NETWORKS.make(kind, **options)
    given: dict[str, Any] = {"shape": tuple(shape)}
    if kind == "unet":
        given = {"channels": shape[0]}
    elif kind == "dit":
        given = {"channels": shape[0], "image_size": tuple(shape[1:])}
    if taken := sorted(set(options) & set(given)):
        raise ValueError(
            f"option {', '.join(taken)} of network {kind!r}; the signals' shape decides it"
        )
    made = NETWORKS.make(kind, **given, **options)
    if isinstance(made, UNet):
        made.check_size(*shape[1:])
    return made


__all__ = [
    "MLP",
    "NETWORKS",
    "DiT",
    "Equivariant",
    "Labelled",
    "LayerNormMLP",
    "UNet",
    "make",
    "register",
]
