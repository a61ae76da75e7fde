"""What a training costs in arithmetic, whatever the machine."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from localbias.experiments.configuration import Experiment
from localbias.experiments.parts import network_of, renderer_of


def operations(experiment: Experiment) -> tuple[int, float]:
    """The size of an experiment's network and the arithmetic of its training.

    Nothing is computed: the network's shapes alone are followed, forward and backward.

    Args:
        experiment: of whatever tier.

    Returns:
        Parameters, and the additions and multiplications of all matrix products and convolutions
        of the whole training.
    """
    shape, batch = renderer_of(experiment.renderer).shape, experiment.training.batch
    network = network_of(experiment.network, shape, experiment.seed).to("meta")
    with FlopCounterMode(display=False) as counter:
        output = network(
            torch.empty(batch, *shape, device="meta"),
            torch.zeros(batch, dtype=torch.long, device="meta"),
        )
        output.sum().backward()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return parameters, float(counter.get_total_flops()) * experiment.training.steps
