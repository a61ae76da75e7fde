"""The UNet's norm, with its gradients written out."""

from typing import Any

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """Each pixel's channels scaled to mean square 1, then by a learned gain a channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(
        self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
    ) -> Tensor:
        """The normed x, times scale, plus shift.

        Args:
            x: [B, C, H, W].
            scale: [B, C, 1, 1]; None, and no shift either: the normed x alone.
            shift: likewise.

        Returns:
            [B, C, H, W]. It and its gradients are, bit for bit, those that autograd finds for
            ``x / rms * gain * scale + shift``.
        """
        # x goes in twice, so that the gradients of its two uses are added up as autograd would: one
        # by one to those of others, such as the residual's around an attention.
        return _Norm.apply(x, x, self.gain, scale, shift)[0]


def _inverse_rms(x: Tensor) -> Tensor:
    return (x.square().mean(dim=1, keepdim=True) + 1e-12).rsqrt()


class _Norm(torch.autograd.Function):
    """Autograd would keep what every factor gives; here only x and 1/rms are kept."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, _: Tensor, gain: Tensor, scale: Tensor | None, shift: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        inverse = _inverse_rms(x)
        y = (x * inverse).mul_(gain)
        if scale is not None and shift is not None:
            y.mul_(scale).add_(shift)
        return y, inverse

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        x, _, gain, scale, _ = inputs
        inverse = output[1]
        ctx.mark_non_differentiable(inverse)
        ctx.set_materialize_grads(False)  # or zeros would be made for the inverse
        ctx.save_for_backward(x, gain, scale, inverse)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        x, gain, scale, inverse = ctx.saved_tensors
        to_x, _, to_gain, to_scale, to_shift = ctx.needs_input_grad
        of_x = of_rms = of_gain = of_scale = of_shift = None
        if g is None:
            return of_x, of_rms, of_gain, of_scale, of_shift
        if torch.is_grad_enabled():
            inverse = _inverse_rms(x)  # a second derivative goes through it
        normed = x * inverse if to_gain or to_scale else x  # else it is not used
        if to_shift:
            of_shift = g.sum((2, 3), keepdim=True)
        if to_scale:
            of_scale = (normed * gain * g).sum((2, 3), keepdim=True)
        if scale is not None:
            g = g * scale
        if to_gain:
            of_gain = (normed * g).sum((0, 2, 3), keepdim=True)[0]
        if to_x:
            g = g * gain
            of_inverse = (g * x).sum(1, keepdim=True) * -0.5 * inverse.pow(3)
            of_x, of_rms = g * inverse, x * (of_inverse / x.shape[1] * 2)
        return of_x, of_rms, of_gain, of_scale, of_shift
