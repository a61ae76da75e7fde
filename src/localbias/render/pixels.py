"""Signals as bytes, which is how records keep pictures."""

import numpy as np
import torch
from torch import Tensor


def to_pixels(signals: Tensor) -> Tensor:
    """Signals from −1 to 1 as uint8 from 0 to 255; what lies beyond is cut off."""
    return ((signals.cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_pixels(pixels: Tensor | np.ndarray) -> Tensor:
    """The signals, float32, that bytes from 0 to 255 stand for."""
    return (torch.as_tensor(pixels) / 127.5 - 1).float()
