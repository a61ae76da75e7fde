"""The networks as one family, and the MLP."""

import numpy as np
import pytest
import torch

from localbias import networks
from localbias.networks.mlp import MLP
from localbias.networks.time import TimeEmbedding, sinusoidal

SMALL = {
    "mlp": {"width": 24, "depth": 2},
    "unet": {"width": 8, "mults": [1, 2], "heads": 2, "head_width": 4},
    "dit": {"patch": 2, "width": 16, "depth": 2, "heads": 2},
}


def small(kind, shape, dtype=torch.float32):
    """A small network away from its initial state, where a DiT is constant."""
    torch.manual_seed(0)
    network = networks.make(kind, shape, **SMALL[kind]).to(dtype)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network


@pytest.mark.parametrize(
    "kind, shape",
    [
        ("mlp", (8,)),
        ("mlp", (2, 4, 6)),
        ("unet", (1, 4, 4)),
        ("unet", (2, 4, 6)),
        ("dit", (1, 4, 4)),
        ("dit", (2, 4, 6)),
    ],
)
def test_output_has_the_signals_shape_and_each_sample_stands_alone(kind, shape):
    network = small(kind, shape)
    x, t = torch.randn(3, *shape), torch.tensor([0, 500, 999])
    y = network(x, t)
    assert y.shape == x.shape
    for i in range(3):
        assert torch.allclose(network(x[i : i + 1], t[i : i + 1])[0], y[i], atol=1e-5)
    at_other_times = network(x, t.flip(0))
    for i in (0, 2):
        assert (at_other_times[i] - y[i]).abs().max() > 1e-3


@pytest.mark.parametrize(
    "kind, shape, options, message",
    [
        ("cnn", (8,), {}, "'cnn'.*mlp, layernorm, equivariant, unet, dit"),
        ("mlp", (8,), {"heads": 2}, "heads.*width, depth"),
        ("mlp", (8,), {"depth": 0}, "depth=0"),
        (
            "unet",
            (1, 8, 8),
            {"channels": 2},
            "option channels of network 'unet'; the signals' shape decides it",
        ),
        ("dit", (1, 8, 8), {"learn_sigma": True}, "learn_sigma.*patch, width"),
        ("unet", (8,), {}, r"unet.*\(8,\)"),
        ("dit", (8,), {}, r"dit.*\(8,\)"),
        ("unet", (1, 28, 30), {"width": 8, "mults": (1, 2, 4)}, r"\(28, 30\).*multiples of 4"),
        ("unet", (1, 8, 8), {"mults": ()}, r"mults=\(\)"),
        ("unet", (1, 8, 8), {"mults": (1, 0)}, r"mults=\(1, 0\)"),
        ("unet", (1, 8, 8), {"width": 7}, "7 time features"),
        ("dit", (1, 28, 30), {"patch": 4}, r"\(28, 30\).*patch=4"),
        ("dit", (1, 8, 8), {"width": 30, "heads": 2}, "width=30"),
        ("dit", (1, 8, 8), {"width": 32, "heads": 3}, "heads=3"),
        ("dit", (1, 8, 8), {"patch": 0}, "patch=0"),
    ],
)
def test_bad_input_is_refused_by_name(kind, shape, options, message):
    with pytest.raises(ValueError, match=message):
        networks.make(kind, shape, **options)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("kind", ("mlp", "unet", "dit"))
# The fused attention has no batching rule on a CPU: it warns, falls back to a loop, and must still be right.
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_three_ways_to_the_jacobian_agree(kind, dtype, tolerance):
    shape = (1, 4, 4)
    network = small(kind, shape, dtype)
    x, t = torch.randn(2, *shape, dtype=dtype, requires_grad=True), torch.tensor([3, 700])
    y = network(x, t)
    cotangents = (
        torch.eye(16, dtype=dtype).view(16, 1, *shape).expand(16, 2, *shape)
    )  # one output pixel each
    one_by_one = torch.stack(
        [torch.autograd.grad(y, x, c, retain_graph=True)[0] for c in cotangents]
    )
    (batched,) = torch.autograd.grad(y, x, cotangents, is_grads_batched=True)
    jacobian = torch.func.jacrev(lambda signal, time: network(signal[None], time[None])[0])
    by_sample = torch.func.vmap(jacobian)(x.detach(), t)
    assert one_by_one.abs().max() > 1e-2
    assert torch.allclose(batched, one_by_one, atol=tolerance)
    assert torch.allclose(by_sample.view(2, 16, *shape).transpose(0, 1), one_by_one, atol=tolerance)


@pytest.mark.parametrize("inclusive, last", [(True, 1e-4), (False, 1e-4 ** (3 / 4))])
def test_sinusoidal_features(inclusive, last):
    t = np.array([0, 1, 999])
    angles = t[:, None] * np.geomspace(1, last, 4)
    features = sinusoidal(torch.tensor(t), 8, inclusive).numpy()
    assert np.allclose(
        features, np.concatenate([np.sin(angles), np.cos(angles)], axis=1), atol=2e-4
    )


@pytest.mark.parametrize("features", [2, 7])
def test_time_embedding_refuses_features_it_cannot_pair(features):
    with pytest.raises(ValueError, match=f"{features} time features"):
        TimeEmbedding(features, 4, torch.nn.SiLU())


def test_mlp_is_the_residual_network_it_says_it_is():
    network = small("mlp", (1, 2, 3), torch.float64)
    x, t = torch.randn(5, 1, 2, 3, dtype=torch.float64), torch.arange(5) * 200
    weights = {name: value.numpy() for name, value in network.state_dict().items()}

    def linear(name, h):
        return h @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)

    def silu(h):
        return h / (1 + np.exp(-h))

    e = linear("time.layers.2", silu(linear("time.layers.0", sinusoidal(t, 64).double().numpy())))
    h = linear("first", x.reshape(5, 6).numpy())
    for i in range(2):
        h = h + silu(linear(f"layers.{i}", h) + linear(f"shifts.{i}", e))
    assert np.allclose(network(x, t).detach().numpy().reshape(5, 6), linear("last", h), atol=1e-12)


def test_untrained_mlp_hears_every_value_alike():
    """Its LDR on a region of half the signal starts near one half: the baseline of every measured LDR."""
    torch.manual_seed(0)
    network = MLP((8,), width=256)
    jacobian = torch.func.jacrev(lambda x: network(x[None], torch.tensor([500]))[0])
    jacobian = torch.func.vmap(jacobian)(torch.randn(32, 8))
    energy = jacobian[:, :4].square().sum(dim=(0, 1))  # of four outputs, by input
    assert 0.35 < energy[:4].sum() / energy.sum() < 0.65
