"""Samples of a recorded network, drawn in another way than while it was trained.

Nothing is trained: the weights are those that a record kept. A drawing takes minutes, so one that
is interrupted begins again. Its records lie in records/samples.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from localbias import store
from localbias.checks import require, typed
from localbias.diffusion import last
from localbias.experiments import engine
from localbias.experiments.configuration import Experiment, Sampling, key_around
from localbias.experiments.setup import Setup
from localbias.measure import smallest_integer
from localbias.store import Record, revive
from localbias.training import auto_device

FOLDER = "samples"  # in that of a tier's records


@dataclass(frozen=True)
class Samples:
    """What is drawn of which network, and how.

    Attributes:
        experiment: whose network it is; its seed is also that of the noise, so that samples of
            every way begin with the same x_T.
        step: of its training, one whose weights its record keeps.
        sampling: how they are drawn.

    Raises:
        ValueError: for a step whose weights are not kept, and for more steps of sampling than the
            schedule has.
    """

    experiment: Experiment
    step: int
    sampling: Sampling

    def __post_init__(self):
        typed(self)
        one, steps = self.experiment, self.experiment.schedule.steps
        kept = ", ".join(map(str, one.keep)) or "none, since no weights are kept"
        whose = f"{kept} (of {one.name!r}, {one.tier} tier, seed {one.seed})"
        require(self, "step", self.step in one.keep, whose)
        if not 2 <= self.sampling.steps <= steps:
            raise ValueError(f"sampling.steps={self.sampling.steps}; allowed: 2 to {steps}")

    @classmethod
    def ancestral(
        cls, experiment: Experiment, step: int | None = None, **changes: Any
    ) -> "Samples":
        """Of Eq. 7: by all T steps, with noise, without a bound on x̂0.

        Args:
            experiment: whose network it is.
            step: of its training; None: the last whose weights are kept.
            changes: fields of `Sampling` that differ; None: as many samples as the experiment
                counts, and all steps.
        """
        last_kept = experiment.keep[-1] if experiment.keep else experiment.training.steps
        how = dict(samples=experiment.sampling.samples, steps=experiment.schedule.steps)
        given = {name: value for name, value in changes.items() if value is not None}
        sampling = Sampling(**dict(how, eta=1.0, clamp=None) | given)
        return cls(experiment, last_kept if step is None else step, sampling)

    @property
    def key(self) -> str:
        """12 hexadecimal digits of the configuration's hash, as of an experiment."""
        return key_around(self)

    @property
    def stem(self) -> str:
        """The name of the record's files."""
        one = self.experiment
        return f"{one.name}-samples-{one.tier}-s{one.seed}-{self.key}"

    @property
    def configuration(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        whole = {"experiment": self.experiment.configuration, "step": self.step}
        return whole | {"sampling": asdict(self.sampling)}


def run(samples: Samples, device: str = "auto", folder: Path | None = None) -> Record:
    """The stored record of samples; drawn where there is none.

    The weights were kept in half precision, so that the network is that of its record but for
    rounding. The arrays, with n samples:

    - counts int [4]: outcomes in the order of `measure.OUTCOMES`
    - tokens int8 or int16 [n, L], samples uint8 `[shown, *shape]`, as of a training's record

    Args:
        samples: what to draw.
        device: "auto", "cpu" or "cuda".
        folder: of the records of trainings, in which these have one of their own; None: where
            those of the tier lie.

    Raises:
        ValueError: for a device that is not here, a network without a record, and samples that
            were drawn of another network than the record has now.
        FloatingPointError: where a sample is not finite.
    """
    chosen, folder = auto_device(device), folder or engine.records_of(samples.experiment.tier)
    network, own = network_of(samples, folder), folder / FOLDER
    found = store.find(samples.stem, stem_of, own)
    if not found:
        with store.only_writer(samples.stem, own):
            # Another process may have drawn them meanwhile.
            found = store.find(samples.stem, stem_of, own) or _run(samples, network, chosen, own)
    if found.origin["weights_sha256"] != _hash_of_weights(network):
        raise ValueError(
            f"record {found.path} was drawn of another network than {network.path.name} has now; "
            "delete it to draw again"
        )
    return found


def network_of(samples: Samples, folder: Path | None = None) -> Record:
    """The record whose network is sampled, of that folder or of the tier's.

    Raises:
        ValueError: where there is none, or it is damaged.
    """
    network = engine.find(samples.experiment, folder)
    if network is None or network.weights is None:
        raise ValueError(
            f"there is no record {samples.experiment.stem}, whose network could be sampled: "
            "`localbias run` makes it, with the same name, tier, seed and settings"
        )
    return network


def path_of(samples: Samples) -> Path:
    """Where their record lies, whether it is there or not."""
    return engine.records_of(samples.experiment.tier) / FOLDER / f"{samples.stem}.json"


def stem_of(held: dict[str, Any]) -> str:
    """The name that belongs to the configuration of a record."""
    return revive(Samples, held).stem


def _run(samples: Samples, network: Record, device: torch.device, folder: Path) -> Record:
    code, began = store.code_version(), monotonic()
    setup, how = Setup(samples.experiment), samples.sampling
    denoiser = engine.load_network(network, samples.step).to(device)
    states = setup.reverse(denoiser, device, how)
    signals = last(tqdm(states, desc=samples.stem, total=how.steps, unit="step"))
    if not signals.isfinite().all():
        raise FloatingPointError(f"a sample holds NaN or infinity, drawn by {how}: give a clamp")
    tokens = setup.reader(signals).cpu()
    arrays: dict[str, np.ndarray] = {
        "counts": setup.tally(tokens).counts,
        "tokens": tokens.to(smallest_integer(len(setup.grammar.alphabet))).numpy(),
        "samples": setup.kept(signals).numpy(),
    }
    process = store.process_of(
        code=code,
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        threads=torch.get_num_threads(),
        libraries=("torch", "numpy", "safetensors"),
        steps=(0, how.steps),
        seconds=monotonic() - began,
    )
    origin = {
        "key": samples.key,
        "experiment": samples.configuration,
        "fingerprint": None,
        "weights_sha256": _hash_of_weights(network),
        "chance": setup.chance,
        "processes": [process],
    }
    return store.save(samples.stem, origin, arrays, None, folder)


def _hash_of_weights(network: Record) -> str:
    """Of the file of kept weights, as the origin of the record has it."""
    assert network.weights  # it kept some
    return network.origin["files"][network.weights.name]
