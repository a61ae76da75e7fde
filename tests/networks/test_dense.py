"""The dense networks: what frequencies add, and one layer shared or several."""

import pytest
import torch

from localbias import networks
from localbias.networks import MLP, LayerNormMLP


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_frequencies_are_sines_and_cosines_beside_the_values():
    network = MLP((2,), 8, 1, [4.0, 16.0])
    assert network.first.in_features == 2 * (1 + 2 * 2)
    x, t = torch.tensor([[0.3, -0.2]]), torch.tensor([5])
    waves = [f(k * x) for k in (4.0, 16.0) for f in (torch.sin, torch.cos)]
    plain = MLP((10,), 8, 1)
    plain.load_state_dict(
        {k: v for k, v in network.state_dict().items() if "last" not in k}, strict=False
    )
    h = plain.first(torch.cat([x, *waves], 1))
    assert torch.equal(network.first(torch.cat([x, *waves], 1)), h)
    grad = torch.autograd.functional.jacobian(lambda y: network(y, t), x)
    assert grad.shape == (1, 2, 1, 2) and torch.isfinite(grad).all()
    assert parameters(MLP((2,), 8, 1)) == parameters(MLP((2,), 8, 1, ()))
    with pytest.raises(ValueError, match=r"frequencies=\[0\.0\]"):
        MLP((2,), 8, 1, [0.0])


def test_a_shared_layer_is_passed_three_times_with_the_parameters_of_one():
    shared = networks.make("layernorm", (2,), width=16, layers=3, shared=True)
    one, three = LayerNormMLP((2,), 16, 1), LayerNormMLP((2,), 16, 3)
    assert parameters(shared) == parameters(one) < parameters(three)
    assert shared.layers[0] is shared.layers[2] and len(shared.layers) == 3
    one.load_state_dict({k: v for k, v in shared.state_dict().items() if k in one.state_dict()})
    x, t = torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([3] * 4)
    assert not torch.allclose(shared(x, t), one(x, t))
    three.load_state_dict(shared.state_dict())
    assert torch.equal(shared(x, t), three(x, t))


def test_its_last_layer_sees_a_normalised_sum():
    network = LayerNormMLP((3,), 16, 2)
    assert network(torch.full((2, 3), 1e6), torch.tensor([0, 1])).abs().max() < 100
    with pytest.raises(ValueError, match="width=5, layers=3; allowed: even from 4"):
        LayerNormMLP((2,), 5)
    with pytest.raises(ValueError, match="layers=0"):
        LayerNormMLP((2,), 8, 0)


def test_what_treats_symbols_alike_commutes_with_permutations():
    torch.manual_seed(0)
    network = networks.make("equivariant", (5,), width=16, depth=2).double()
    x, t = torch.randn(3, 5).double(), torch.tensor([1, 50, 900])
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(network(x[:, order], t), network(x, t)[:, order], atol=1e-12)
    assert not torch.allclose(network(x, t), network(x, t.flip(0)))
    others = torch.autograd.functional.jacobian(lambda x: network(x, t[:1]), x[:1])[0, :, 0]
    assert (others[0, 1:].abs() > 0).all(), "a place hears of the others"
    for shape, options in (((1, 4, 4), {}), ((4,), dict(width=0)), ((4,), dict(depth=0))):
        with pytest.raises(ValueError, match="Equivariant shape="):
            networks.Equivariant(shape, **options)


def test_gain_scales_all_initial_weights():
    made = []
    for options in ({}, dict(gain=3.0)):
        torch.manual_seed(4)
        made.append(MLP((3,), 8, 2, **options).state_dict())
    assert all(torch.equal(made[1][name], 3 * tensor) for name, tensor in made[0].items())
    with pytest.raises(ValueError, match="gain=0"):
        MLP((3,), gain=0.0)
