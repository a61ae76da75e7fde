"""The arithmetic of a training, against counts by hand and the paper's network."""

import pytest

from localbias.experiments import catalogue, operations


def test_a_dense_network_by_hand():
    one = catalogue.make("parity-8-scalars")
    width, batch, steps = 256, one.training.batch, one.training.steps
    parameters, total = operations(one)
    weights = sum(
        parameter.numel()
        for parameter in catalogue.setup("parity-8-scalars").denoiser().parameters()
    )
    assert parameters == weights
    # Each weight of a matrix costs 2 forward, and 4 backward but for the first layer's input.
    assert total / steps / batch / (6 * parameters) == pytest.approx(1, abs=0.15)
    assert width * width * 6 * batch * steps < total


@pytest.mark.parametrize(
    "name, parameters, tera",
    [("quarter-dit-470", 32_536_000, 0.135), ("quarter-unet-470", 35_705_089, 0.698)],
)
def test_the_papers_networks(name, parameters, tera):
    one = catalogue.make(name, "paper")
    assert operations(one)[0] == parameters
    assert operations(one)[1] / one.training.steps / 1e12 == pytest.approx(tera, abs=1e-3)
