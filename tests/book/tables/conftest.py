"""Results with chosen numbers, and tables read back."""

from pathlib import Path

import numpy as np
import pytest

from localbias.experiments import Experiment, Results, Sampling
from localbias.measure import Probing
from localbias.store import Record
from localbias.training import Training


@pytest.fixture
def rows():
    """rows(markdown): the cells of the table in it, each row a dict column -> cell."""

    def read(markdown):
        lines = [line for line in markdown.data.splitlines() if line.startswith("|")]
        head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return [dict(zip(head, cells, strict=True)) for cells in body]

    return read


@pytest.fixture
def results():
    """results(counts, ldr, ...): of an experiment on four scalars, a record a seed, with these arrays.

    counts  int [S, 2, 4];  ldr  [S, 3, n], ratios of the first symbol at √ᾱ = 0.5, where ‖J_R‖² = 1
    arrays  name -> [S, ...];  changes  fields of the experiment
    """

    def build(counts, ldr=None, arrays=None, **changes):
        counts = np.asarray(counts)
        experiment = Experiment(
            **dict(
                name="toy",
                tier="smoke",
                seed=0,
                grammar=dict(name="parity", length=4),
                renderer=dict(name="scalars", length=4),
                network=dict(kind="mlp", width=8, depth=1),
                n_train=5,
                training=Training(steps=2000, batch=7, rate=1e-3, ema=0.5),
                measure_at=(1000, 2000),
                sampling=Sampling(samples=int(counts[0, 0].sum())),
                probing=Probing((0.5,), samples=2, closer=(0.5,)),
            )
            | changes
        )
        records = []
        for seed in range(len(counts)):
            held = {name: values[seed] for name, values in (arrays or {}).items()}
            held |= {"step": np.array([1000, 2000]), "counts": counts[seed]}
            if ldr is not None:
                ratio = np.asarray(ldr, float)[seed][:, None]  # [3, 1, n]
                held |= {"ldr": np.stack([np.sqrt(ratio), ratio, np.ones_like(ratio)], -1)}
                held |= {"probe_t": np.array([500])}
            origin = {
                "experiment": experiment.replace(seed=seed).configuration,
                "chance": [0, 0.5, 0.3, 0.2],
                "parameters": 12_345,
                "processes": [{"seconds": 119.0, "device": "cpu"}],
            }
            record = Record(Path("toy.json"), origin)
            record.__dict__["arrays"] = held  # in place of its file
            records.append(record)
        return Results(records)

    return build
