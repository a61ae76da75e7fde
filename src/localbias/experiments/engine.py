"""Running an experiment: train, measure along the way, store; from then on return the record.

The engine knows no experiment by name: it runs any configuration.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as safetensors_bytes
from torch import Tensor
from tqdm import tqdm

from localbias import store
from localbias.diffusion import Denoiser, device_of, last
from localbias.experiments.configuration import Experiment, from_configuration
from localbias.experiments.setup import Setup, data_hash
from localbias.measure import OUTCOMES, smallest_integer
from localbias.store import RECORDS, RUNS, SMOKE_RECORDS, Record
from localbias.training import State, auto_device, load_checkpoint, save_checkpoint, train

FIRST_SAVE = 10  # seconds until the first checkpoint
SAVE_EVERY = 60  # seconds between the others
LOSS_POINTS = 200  # of the loss that a record keeps, at most
WEIGHTS = "weights."  # in a checkpoint, what the names of kept weights begin with


def find(experiment: Experiment, folder: Path | None = None) -> Record | None:
    """The stored record of exactly this configuration, or None.

    Args:
        experiment: the configuration.
        folder: of the records; None: where those of its tier lie.

    Raises:
        ValueError: where the record is damaged, or was made of other data than the configuration
            draws now.
    """
    folder = folder or records_of(experiment.tier)
    found = store.find(experiment.stem, lambda held: from_configuration(held).stem, folder)
    if found and found.origin["data_sha256"] != data_hash(experiment):
        raise ValueError(
            f"record {found.path} was made of other data than its configuration draws now; "
            "delete it to run again"
        )
    return found


def records_of(tier: str) -> Path:
    """The folder of a tier's records: those of the smoke tier are no results, and lie apart."""
    return SMOKE_RECORDS if tier == "smoke" else RECORDS


def run(
    experiment: Experiment,
    device: str = "auto",
    smoke: Experiment | None = None,
    folder: Path | None = None,
    runs: Path = RUNS,
) -> Record:
    """The stored record if there is one; else train, from the last checkpoint on, and store it.

    A run killed at any moment and started again ends with the arrays of an undisturbed one, bit for
    bit on a CPU at the same thread count. Of several processes that want the same record one
    trains, and the others wait for it.

    Args:
        experiment: what to run.
        device: "auto", "cpu" or "cuda".
        smoke: the same experiment made small, by which the record is fingerprinted; None for no
            fingerprint.
        folder: of the records; None: where those of its tier lie.
        runs: folder of the checkpoints.

    Raises:
        ValueError: for a device that is not here, a record or a checkpoint that is damaged.
        FloatingPointError: where the training diverges.
        OSError: where a folder cannot be written into, before anything is trained.
    """
    chosen, folder = auto_device(device), folder or records_of(experiment.tier)
    found = find(experiment, folder)
    if not found:
        with store.only_writer(experiment.stem, folder, runs):
            # Another process may have made it meanwhile.
            found = find(experiment, folder) or _run(experiment, chosen, smoke, folder, runs)
    (runs / f"{experiment.stem}.safetensors").unlink(missing_ok=True)  # the record takes its place
    return found


def fingerprint(experiment: Experiment) -> dict[str, float]:
    """A few numbers of an experiment, its losses and samples.

    A smoke configuration keeps it to seconds.
    """
    _, measured = _train(Setup(experiment), torch.device("cpu"), None)
    arrays = measured.arrays()
    losses, samples = arrays["loss"].double(), arrays["samples"][-1].double()
    numbers = {
        "loss_first": losses[0],
        "loss_last": losses[-1],
        "samples_mean": samples.mean(),
        "samples_std": samples.std(),
    }
    if experiment.probing:
        _, inside, total = arrays["ldr"][-1].double().mean(-2).T
        numbers |= {"ldr": (inside / total).mean(), "excess": arrays["excess"][-1].mean()}
    return {name: round(float(number), 6) for name, number in numbers.items()}


def load_network(found: Record, step: int) -> Denoiser:
    """The averaged network of a record at a step it kept; its weights are of half precision.

    Raises:
        ValueError: for a step that was not kept.
    """
    experiment = from_configuration(found.experiment)
    if step not in experiment.keep:
        raise ValueError(
            f"step {step}; record {found.path.name} kept the weights of {list(experiment.keep)}"
        )
    denoiser = Setup(experiment).denoiser()
    assert found.weights  # it kept some
    weights, prefix = load_file(found.weights), f"{step}."
    denoiser.network.load_state_dict(
        {
            name.removeprefix(prefix): tensor
            for name, tensor in weights.items()
            if name.startswith(prefix)
        }
    )
    return denoiser.eval()


class Measured:
    """What a run has measured so far.

    Attributes:
        rows: arrays with a first axis that grows by one at each measured step; and what is measured
            once.
        losses: float32 [steps], of each step that was taken.
        weights: float16, those that are kept, by "<step>.<parameter>".
        processes: that took part before this one (`store.process_of`).
    """

    def __init__(self, steps: int):
        self.rows: dict[str, Tensor] = {}
        self.losses = torch.zeros(steps)
        self.weights: dict[str, Tensor] = {}
        self.processes: list[dict[str, Any]] = []

    def append(self, rows: dict[str, Tensor]) -> None:
        """Add a row to each array, along its first axis."""
        for name, row in rows.items():
            before = self.rows.get(name)
            self.rows[name] = row[None] if before is None else torch.cat([before, row[None]])

    def keep(self, step: int, denoiser: Denoiser) -> None:
        """Keep the network's weights, in half the bytes.

        FloatingPointError where one is too large for that.
        """
        for name, tensor in denoiser.network.state_dict().items():
            half = tensor.detach().cpu().half()
            if not half.isfinite().all():
                raise FloatingPointError(
                    f"{name} at step {step} is too large to be kept as float16"
                )
            self.weights[f"{step}.{name}"] = half

    def tensors(self) -> dict[str, Tensor]:
        """All of it but the processes, for a checkpoint."""
        kept = {WEIGHTS + name: tensor for name, tensor in self.weights.items()}
        return self.rows | kept | {"loss": self.losses}

    @classmethod
    def from_tensors(
        cls, tensors: dict[str, Tensor], processes: list[dict[str, Any]]
    ) -> "Measured":
        """What `tensors` gave."""
        rest = dict(tensors)
        losses = rest.pop("loss")
        measured = cls(len(losses))
        measured.losses, measured.processes = losses, processes
        for name, tensor in rest.items():
            if name.startswith(WEIGHTS):
                measured.weights[name.removeprefix(WEIGHTS)] = tensor
            else:
                measured.rows[name] = tensor
        return measured

    def arrays(self) -> dict[str, Tensor]:
        """The arrays of the record: the rows, and the loss over at most 200 equal stretches."""
        stretches = self.losses.split(-(-len(self.losses) // LOSS_POINTS))
        return self.rows | {"loss": torch.stack([stretch.mean() for stretch in stretches])}


class Clock:
    """This process's part in a run: when and at which step it began.

    Args:
        device: where it computes.
        step: at which it begins.
        code: the version of the code as it was before.
    """

    def __init__(self, device: torch.device, step: int, code: str):
        self.device, self.first, self.code, self.began = device, step, code, time.monotonic()

    def process(self, step: int) -> dict[str, Any]:
        """Its entry in the record's origin, up to a step."""
        return store.process_of(
            code=self.code,
            device=torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            threads=torch.get_num_threads(),
            libraries=("torch", "numpy", "safetensors"),
            steps=(self.first, step),
            seconds=time.monotonic() - self.began,
        )


def _run(
    experiment: Experiment, device: torch.device, smoke: Experiment | None, folder: Path, runs: Path
) -> Record:
    """Train and store the record; arguments are those of `run`."""
    setup = Setup(experiment)
    code = store.code_version()  # as it is before a long training
    numbers = fingerprint(smoke) if smoke else None
    checkpoint = runs / f"{experiment.stem}.safetensors"
    state, measured = _train(setup, device, checkpoint, code)
    origin = {
        "key": experiment.key,
        "experiment": experiment.configuration,
        "fingerprint": numbers,
        "data_sha256": setup.data_hash(),
        "chance": setup.chance,  # in the order of OUTCOMES
        "parameters": sum(p.numel() for p in state.denoiser.parameters()),
        "processes": measured.processes,
    }
    arrays = {name: tensor.numpy() for name, tensor in measured.arrays().items()}
    weights = safetensors_bytes(measured.weights) if measured.weights else None
    return store.save(experiment.stem, origin, arrays, weights, folder)


def _train(
    setup: Setup, device: torch.device, checkpoint: Path | None, code: str = ""
) -> tuple[State, Measured]:
    """Train to the end, measuring along the way.

    The arrays of the record, with M = len(measure_at) and A = len(also):

    - step int [M], counts int [M, 4]: outcomes in the order of `measure.OUTCOMES`
    - tokens int8 or int16 [M, samples, L], samples uint8 `[M, shown, *shape]`, −1 … 1 as
      0 … 255; of points, which have no bounds, float32 [M, samples, L]
    - loss float32 [≤ 200], means over equal stretches of training
    - also int [A, 4]: outcomes after the last step, a row for each other way of sampling
    - with watching, those of `measure.Watch`, with a first axis [M]
    - with probing, those of `measure.Probe`: of `along` with a first axis [1 + M], before training
      and at the measured steps
    """
    experiment, config = setup.experiment, setup.experiment.training
    state, measured = State.fresh(setup.denoiser().to(device), config), Measured(config.steps)
    if checkpoint and checkpoint.exists():
        measured = Measured.from_tensors(*load_checkpoint(checkpoint, state, experiment.key))
    clock = Clock(device, state.step, code)
    if experiment.probing and not state.step:
        measured.rows |= setup.probe.constants()
        measured.append(setup.probe.along(state.average.eval()))
        state.average.train()
    bar = tqdm(
        total=config.steps,
        initial=state.step,
        desc=experiment.stem,
        unit="step",
        disable=checkpoint is None,
    )
    due = time.monotonic() + FIRST_SAVE
    with bar:
        for _ in train(state, config, setup.draw, experiment.seed, setup.locality):
            bar.update()
            measured.losses[state.step - 1] = state.loss
            if state.step in experiment.measure_at:
                _measure(setup, state, measured)
                bar.set_postfix_str(_shares(measured.rows["counts"][-1]))
            if checkpoint and (time.monotonic() > due or state.step == config.steps):
                _save_checkpoint(checkpoint, state, experiment.key, measured, clock)
                due = time.monotonic() + SAVE_EVERY
    _measure_end(setup, state, measured)
    measured.processes.append(clock.process(state.step))
    return state, measured


def _save_checkpoint(path: Path, state: State, key: str, measured: Measured, clock: Clock) -> None:
    """Write where a run stands; where that fails, say so and go on: it may work the next time."""
    processes = [*measured.processes, clock.process(state.step)]
    try:
        save_checkpoint(path, state, key, measured.tensors(), processes)
    except OSError as error:
        tqdm.write(f"checkpoint {path} could not be written: {error}", file=sys.stderr)


def _measure(setup: Setup, state: State, measured: Measured) -> None:
    """Add what samples of the averaged network look like at this step, and how locally it works."""
    denoiser = state.average.eval()
    states = setup.reverse(denoiser, device_of(denoiser))
    watch = setup.watch()
    signals = last(watch.through(states) if watch else states)
    _require_finite(denoiser, signals, state.step, setup.experiment.training.rate)
    tokens = setup.reader(signals).cpu()
    measured.append(
        {
            "step": torch.tensor(state.step),
            "counts": torch.from_numpy(setup.tally(tokens).counts),
            "tokens": tokens.to(smallest_integer(len(setup.grammar.alphabet))),
            "samples": setup.kept(signals),
        }
        | (watch.arrays(denoiser) if watch else {})
    )
    if setup.experiment.probing:
        measured.append(setup.probe.along(denoiser))
    if state.step in setup.experiment.keep:
        measured.keep(state.step, denoiser)
    denoiser.train()


def _measure_end(setup: Setup, state: State, measured: Measured) -> None:
    """Add what is measured once, after training.

    These are other ways of sampling, and locality on the way to the samples.
    """
    denoiser = state.average.eval()
    device = device_of(denoiser)
    for how in setup.experiment.also:
        signals = last(setup.reverse(denoiser, device, how))
        counts = setup.tally(setup.reader(signals).cpu()).counts
        measured.append({"also": torch.from_numpy(counts)})
    if setup.experiment.probing and setup.experiment.probing.closer:
        measured.rows |= setup.probe.at_the_end(denoiser, setup.reverse(denoiser, device))


def _require_finite(denoiser: Denoiser, signals: Tensor, step: int, rate: float) -> None:
    """FloatingPointError where a network or what it draws holds NaN or infinity: it diverged."""
    for name, tensor in (*denoiser.state_dict().items(), ("what the network draws", signals)):
        if not tensor.isfinite().all():
            raise FloatingPointError(
                f"{name} holds NaN or infinity at step {step}: lower rate={rate} or set clip"
            )


def _shares(counts: Tensor) -> str:
    """The shares of the outcomes [4], for a progress bar."""
    shares = zip(OUTCOMES, (counts / counts.sum()).tolist())
    return ", ".join(f"{name} {share:.0%}" for name, share in shares)
