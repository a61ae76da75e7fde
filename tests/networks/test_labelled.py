"""Networks that are told a class, and are then called like any other."""

import pytest
import torch

from localbias import networks
from localbias.diffusion import Denoiser, Schedule
from localbias.networks import Labelled

INNER = {
    "mlp": (dict(kind="mlp", width=8, depth=2), (3,)),
    "unet": (dict(kind="unet", width=8, mults=[1, 2], heads=2, head_width=4), (1, 8, 8)),
}


@pytest.fixture(params=INNER)
def made(request):
    network, shape = INNER[request.param]
    torch.manual_seed(0)
    found = networks.make("labelled", shape, classes=4, network=network)
    x = torch.randn(5, *shape)
    return found.eval().requires_grad_(False), x, torch.arange(5)


def test_the_label_matters_and_each_signal_has_its_own(made):
    network, x, t = made
    labels = torch.tensor([0, 1, 2, 3, 4])
    network.bind(labels)
    together = network(x, t)
    assert together.shape == x.shape
    for i in range(5):
        network.bind(labels[i : i + 1])
        torch.testing.assert_close(network(x[i : i + 1], t[i : i + 1])[0], together[i])
    network.bind(labels.roll(1))
    assert not torch.allclose(network(x, t), together)


def test_guidance_goes_on_from_not_told_past_told(made):
    network, x, t = made
    network.bind(torch.full((5,), 4))
    plain = network(x, t)
    network.bind(torch.full((5,), 2))
    told = network(x, t)
    network.bind(torch.full((5,), 2), guidance=0.5)
    torch.testing.assert_close(network(x, t), told + 0.5 * (told - plain))
    network.bind(torch.full((5,), 4), guidance=3.0)
    torch.testing.assert_close(network(x, t), plain)  # nothing is told: nothing to go past


def test_guided_noise_is_guided_x0(made):
    """A combination whose weights sum to 1 means the same for every target."""
    network, x, _ = made
    schedule, t = Schedule(), 300
    network.bind(torch.full((5,), 1), guidance=2.0)
    read = Denoiser(network, schedule, "noise", "x0")(x, t)
    parts = {}
    for label, weight in ((1, 3.0), (4, -2.0)):
        network.bind(torch.full((5,), label))
        parts[weight] = Denoiser(network, schedule, "noise", "x0")(x, t)
    torch.testing.assert_close(
        read, sum(weight * part for weight, part in parts.items()), atol=1e-3, rtol=1e-3
    )


def test_large_batches_are_computed_in_parts(made, monkeypatch):
    network, x, t = made
    network.bind(torch.arange(5), guidance=1.0)
    whole = network(x, t)
    monkeypatch.setattr("localbias.networks.labelled.BATCH", 2)
    torch.testing.assert_close(network(x, t), whole)


def test_what_cannot_be_told_is_refused(made):
    network, x, t = made
    with pytest.raises(ValueError, match="5 signals and 0 labels"):
        network(x, t)
    network.bind(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="5 signals and 3 labels"):
        network(x, t)
    for labels in (torch.tensor([5]), torch.tensor([-1]), torch.zeros(2, 2, dtype=torch.int64)):
        with pytest.raises(ValueError, match="from 0 to 4"):
            network.bind(labels)
    with pytest.raises(ValueError, match="LayerNormMLP with labels; allowed: MLP, UNet"):
        networks.make("labelled", (2,), classes=4, network=dict(kind="layernorm"))
    with pytest.raises(ValueError, match="classes=1"):
        Labelled(network.network, 1)
