"""A network that is told a class, with classifier-free guidance (Ho & Salimans 2022).

A denoiser knows nothing of labels. So they are bound first, and then the network is called like any
other, f(x, t).
"""

import torch
from torch import Tensor, nn

from localbias.networks.mlp import MLP
from localbias.networks.unet import UNet

BATCH = 4096  # signals in one pass of the network


class Labelled(nn.Module):
    """Maps x `[B, *shape]` and t int [B] to `[B, *shape]`, given the labels that are bound.

    Each class has an embedding, which is added to that of the time; so has "not told".

    Attributes:
        labels: int [B], of the signals it is called with; `classes` stands for "not told".
        guidance: w: the output is (1 + w) f(x, t, label) − w f(x, t, not told). It is linear, so it
            does not matter whether it is read as noise or as x0.

    Args:
        network: whose time embedding takes a condition.
        classes: how many there are.

    Raises:
        ValueError: for a network that takes no condition, and for fewer than two classes.
    """

    def __init__(self, network: MLP | UNet, classes: int):
        super().__init__()
        if not isinstance(network, MLP | UNet):
            raise ValueError(f"{type(network).__name__} with labels; allowed: MLP, UNet")
        if classes < 2:
            raise ValueError(f"classes={classes}; allowed: 2 or more")
        self.network, self.classes, self.guidance = network, classes, 0.0
        last = network.time.layers[-1]
        assert isinstance(last, nn.Linear)
        self.embedding = nn.Embedding(classes + 1, last.out_features)
        nn.init.normal_(self.embedding.weight, std=0.5)
        self.labels: Tensor | None = None

    def bind(self, labels: Tensor, guidance: float = 0.0) -> None:
        """Fix the labels int [B], 0 to `classes`, and the guidance, until they are bound anew.

        ValueError for other labels.
        """
        if labels.ndim != 1 or not ((labels >= 0) & (labels <= self.classes)).all():
            raise ValueError(f"labels {labels}; allowed: [B] from 0 to {self.classes}")
        self.labels, self.guidance = labels.to(self.embedding.weight.device), guidance

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if self.labels is None or len(self.labels) != len(x):
            bound = 0 if self.labels is None else len(self.labels)
            raise ValueError(f"{len(x)} signals and {bound} labels; bind as many")
        parts = zip(x.split(BATCH), t.split(BATCH), self.labels.split(BATCH))
        return torch.cat([self._guided(*part) for part in parts])

    def _guided(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        labelled = self.network(x, t, self.embedding(labels))
        if not self.guidance:
            return labelled
        plain = self.network(x, t, self.embedding(torch.full_like(labels, self.classes)))
        return labelled + self.guidance * (labelled - plain)
