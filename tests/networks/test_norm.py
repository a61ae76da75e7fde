"""The norm against the formula that autograd differentiates."""

import pytest
import torch

from localbias.networks.norm import RMSNorm
from localbias.networks.unet import UNet


def formula(norm, x, scale=None, shift=None):
    y = x * (x.square().mean(dim=1, keepdim=True) + 1e-12).rsqrt() * norm.gain
    return y if scale is None else y * scale + shift


def given(modulated, dtype=torch.float32):
    """A norm and what goes in, all with gradients."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    norm = RMSNorm(6).to(dtype)
    with torch.no_grad():
        norm.gain.copy_(1 + 0.5 * draw(6, 1, 1))
    more = (draw(3, 6, 1, 1), draw(3, 6, 1, 1)) if modulated else ()
    return norm, draw(3, 6, 5, 4), more, draw(3, 6, 5, 4).detach()


@pytest.mark.parametrize("modulated", [True, False])
def test_values_and_gradients_are_bit_for_bit_those_of_the_formula(modulated):
    norm, x, more, g = given(modulated)
    inputs = [x, norm.gain, *more]
    # Beside a residual, as in an attention: sums of three gradients have an order.
    expected, found = x * 3 + formula(norm, x, *more), x * 3 + norm(x, *more)
    assert torch.equal(found, expected)
    of_formula = torch.autograd.grad(expected, inputs, g)
    for one, other in zip(torch.autograd.grad(found, inputs, g), of_formula, strict=True):
        assert one.shape == other.shape and torch.equal(one, other)


def test_a_unets_loss_and_gradients_are_bit_for_bit_those_of_the_formula(monkeypatch):
    torch.manual_seed(0)
    network, x, t = UNet(1, 8, (1, 2), 2, 4), torch.randn(3, 1, 8, 8), torch.tensor([0, 400, 999])
    found = network(x, t).square().mean()
    gradients = torch.autograd.grad(found, list(network.parameters()))
    monkeypatch.setattr(RMSNorm, "forward", formula)
    expected = network(x, t).square().mean()
    assert torch.equal(found, expected)
    for one, other in zip(gradients, torch.autograd.grad(expected, list(network.parameters()))):
        assert torch.equal(one, other)


@pytest.mark.parametrize("modulated", [True, False])
def test_it_can_be_differentiated_twice(modulated):
    """The penalty on locality does."""
    norm, x, more, _ = given(modulated, torch.float64)
    inputs = (x, norm.gain, *more)

    def f(x, gain, *more):
        return norm(x, *more)  # gain is the parameter itself, which is moved in place

    assert torch.autograd.gradcheck(f, inputs, check_undefined_grad=False)
    assert torch.autograd.gradgradcheck(f, inputs)


@pytest.mark.parametrize("modulated", [True, False])
def test_products_can_be_batched(modulated):
    """As the ratio does, and as torch.func does."""
    norm, x, more, _ = given(modulated)
    vectors = torch.randn(7, *x.shape, generator=torch.Generator().manual_seed(1))
    y = norm(x, *more)
    inputs = [x, norm.gain, *more]
    together = torch.autograd.grad(y, inputs, vectors, is_grads_batched=True, retain_graph=True)
    single = [torch.autograd.grad(y, inputs, v, retain_graph=True) for v in vectors]
    for one, others in zip(together, zip(*single), strict=True):
        torch.testing.assert_close(one, torch.stack(others))
    _, pull = torch.func.vjp(lambda x: norm(x, *more), x)
    torch.testing.assert_close(torch.func.vmap(pull)(vectors)[0], together[0])
    # Samples one by one, under vmap: each its own scale and shift.
    alone = torch.func.vmap(lambda *one: norm(*(z[None] for z in one))[0])(x, *more)
    torch.testing.assert_close(alone, y)
