"""Running an experiment: train, measure along the way, store the record; return the record from then on."""

import platform
import shutil
import subprocess
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from safetensors.torch import save as safetensors_bytes
from torch import Tensor
from tqdm import tqdm

from localbias import outcome, record
from localbias.diffusion import Denoiser, last
from localbias.experiment import Experiment, Setup, from_configuration
from localbias.probe import Probe, smallest_integer, stored
from localbias.products import Summary
from localbias.record import Record
from localbias.training import State, auto_device, load_checkpoint, save_checkpoint, train

RUNS = record.FOLDER.parent / "runs"  # checkpoints of unfinished runs
SAVE_EVERY = 60  # seconds
LOSS_POINTS = 200


def find(experiment: Experiment, folder: Path = record.FOLDER) -> Record | None:
    """The stored record of exactly this configuration, or None. ValueError where it is damaged."""
    path = folder / f"{experiment.stem}.json"
    if not path.exists():
        return None
    found = record.load(path)
    try:
        key = from_configuration(found.experiment).key
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"record {path} is damaged: its configuration is not one ({error!r})") from None
    if key != experiment.key:
        raise ValueError(f"record {path} holds another configuration than its name says; delete it to run again")
    return found


def run(experiment: Experiment, device: str = "auto", folder: Path = record.FOLDER, runs: Path = RUNS) -> Record:
    """The stored record if there is one; else train, from the last checkpoint if there is one, and store it.

    A run killed at any moment and started again ends with the arrays of an undisturbed one, bit for bit on a CPU at
    the same thread count.
    """
    return find(experiment, folder) or _run(experiment, auto_device(device), folder, runs)


def fingerprint(experiment: Experiment) -> dict[str, float]:
    """A few numbers of an experiment, its losses and samples; kept small by giving it a smoke configuration."""
    _, arrays = _train(Setup(experiment), torch.device("cpu"), None)
    losses, samples = arrays["loss"].double(), arrays["samples"][-1].double()
    numbers = {"loss_first": losses[0], "loss_last": losses[-1], "samples_mean": samples.mean(), "samples_std": samples.std()}
    if experiment.probing:
        _, inside, total = arrays["ldr"][-1].double().mean(-2).T
        numbers |= {"ldr": (inside / total).mean(), "excess": arrays["excess"][-1].mean()}
    return {name: round(float(number), 6) for name, number in numbers.items()}


def _run(experiment: Experiment, device: torch.device, folder: Path, runs: Path) -> Record:
    from localbias import catalogue  # which is made of experiments

    setup = Setup(experiment)
    # Of the code as it is before a long training. An experiment of one's own has no smoke configuration.
    code, known = code_version(), experiment.name in catalogue.EXPERIMENTS
    numbers = fingerprint(catalogue.smoke_of(experiment)) if known else None
    checkpoint = runs / f"{experiment.stem}.safetensors"
    state, arrays = _train(setup, device, checkpoint)
    seconds = float(arrays.pop("seconds"))
    weights = {name.removeprefix("weights."): arrays.pop(name) for name in list(arrays) if name.startswith("weights.")}
    origin = {
        "key": experiment.key,
        "experiment": experiment.configuration,
        "data_sha256": setup.data_hash(),
        "fingerprint": numbers,
        "chance": outcome.chance(setup.grammar, setup.train_strings).tolist(),  # in the order of outcome.OUTCOMES
        "parameters": sum(p.numel() for p in state.denoiser.parameters()),
        "code": code,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "libraries": {name: metadata.version(name) for name in ("torch", "numpy", "safetensors")},
        "seconds": round(seconds, 1),
    }
    done = record.save(
        experiment.stem,
        origin,
        {name: tensor.numpy() for name, tensor in arrays.items()},
        safetensors_bytes(weights) if weights else None,
        folder,
    )
    checkpoint.unlink(missing_ok=True)
    return done


def _train(setup: Setup, device: torch.device, checkpoint: Path | None) -> tuple[State, dict[str, Tensor]]:
    """Train to the end, measuring along the way. Arrays, with M = len(measure_at):

    step int [M] · counts int [M, 4] outcomes in the order of outcome.OUTCOMES · tokens int8 or int16 [M, samples, L] ·
    samples uint8 [M, shown, *shape], −1 … 1 as 0 … 255 · loss float32 [≤ 200], means over equal stretches of training ·
    seconds [] · weights.<step>.<parameter> float16 at the steps that are kept ·
    also int [A, 4] outcomes after the last step, one row for each other way of sampling ·
    with probing, those of `Probe`: `along` with a first axis [1 + M], before training and at the measured steps
    """
    experiment, config = setup.experiment, setup.experiment.training
    state = State.fresh(setup.denoiser().to(device), config)
    arrays: dict[str, Tensor] = {"loss": torch.zeros(config.steps), "seconds": torch.zeros((), dtype=torch.float64)}
    if checkpoint and checkpoint.exists():
        arrays = load_checkpoint(checkpoint, state, experiment.key)
    probe = Probe(setup) if experiment.probing else None
    if probe and not state.step:
        arrays |= probe.constants()
        _append(arrays, probe.along(state.average.eval()))
        state.average.train()
    bar = tqdm(total=config.steps, initial=state.step, desc=experiment.stem, unit="step", disable=checkpoint is None)
    saved = time.monotonic()
    with bar:
        for state in train(state, config, setup.draw, experiment.seed):
            bar.update()
            arrays["loss"][state.step - 1] = state.loss
            if state.step in experiment.measure_at:
                _measure(setup, probe, state, arrays)
                bar.set_postfix_str(_summary(arrays["counts"][-1]))
            now = time.monotonic()
            if checkpoint and now - saved > SAVE_EVERY and state.step < config.steps:
                arrays["seconds"] += now - saved
                saved = now
                save_checkpoint(checkpoint, state, experiment.key, arrays)
    _measure_end(setup, probe, state, arrays)
    arrays["seconds"] += time.monotonic() - saved
    width = -(-config.steps // LOSS_POINTS)
    arrays["loss"] = torch.stack([stretch.mean() for stretch in arrays["loss"].split(width)])
    return state, arrays


def _measure(setup: Setup, probe: Probe | None, state: State, arrays: dict[str, Tensor]) -> None:
    """Append what samples of the averaged network look like at this step, and how locally it works."""
    denoiser = state.average.eval()
    signals = setup.sample(denoiser, next(denoiser.parameters()).device)
    tokens = setup.decoder(signals).cpu()
    counts = torch.from_numpy(outcome.tally(tokens, setup.grammar, setup.train_strings).counts)
    pixels = ((signals[:setup.experiment.shown].cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    rows = {"step": torch.tensor(state.step), "counts": counts, "tokens": tokens.to(smallest_integer(len(setup.grammar.alphabet))), "samples": pixels}
    _append(arrays, rows | (probe.along(denoiser) if probe else {}))
    if state.step in setup.experiment.keep:
        for name, tensor in denoiser.network.state_dict().items():
            arrays[f"weights.{state.step}.{name}"] = tensor.detach().cpu().half()  # half the bytes
    denoiser.train()


def _measure_end(setup: Setup, probe: Probe | None, state: State, arrays: dict[str, Tensor]) -> None:
    """Add what is measured once, of the trained network: other ways of sampling, locality on the way to its samples."""
    denoiser = state.average.eval()
    device = next(denoiser.parameters()).device
    for how in setup.experiment.also:
        tokens = setup.decoder(last(setup.reverse(denoiser, device, how))).cpu()
        counts = outcome.tally(tokens, setup.grammar, setup.train_strings).counts
        _append(arrays, {"also": torch.from_numpy(counts)})
    if probe and setup.experiment.probing.closer:
        arrays |= probe.at_the_end(denoiser, setup.reverse(denoiser, device))


def _append(arrays: dict[str, Tensor], rows: dict[str, Tensor]) -> None:
    """Add a row to each array, along a first axis."""
    for name, row in rows.items():
        arrays[name] = torch.cat([arrays[name], row[None]]) if name in arrays else row[None]


def reference_counts(setup: Setup) -> dict[str, np.ndarray]:
    """What the exact denoisers of a setup draw: "marginals", "rule" and "train", each its outcome counts int [4]."""
    return {
        name: outcome.tally(setup.decoder(setup.sample(denoiser)), setup.grammar, setup.train_strings).counts
        for name, denoiser in setup.references.items()
    }


def load_network(found: Record, step: int) -> Denoiser:
    """The averaged network of a record at one of the steps it kept, its weights rounded to half precision once.

    ValueError for a step that was not kept.
    """
    experiment = from_configuration(found.experiment)
    if step not in experiment.keep:
        raise ValueError(f"step {step}; record {found.path.name} kept the weights of {list(experiment.keep)}")
    denoiser = Setup(experiment).denoiser()
    weights, prefix = load_file(found.weights), f"{step}."
    denoiser.network.load_state_dict(
        {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    )
    return denoiser.eval()


def ratios_by_level(found: Record, target: str = "x0") -> dict[float, list[Summary | None]]:
    """The local dependency ratio of a probed record, of that target: level -> its summary before training and at each
    measured step, None where more than half of the Jacobians vanish."""
    probing, schedule = found.experiment["probing"], from_configuration(found.experiment).schedule
    products = stored(found).converted(*(part[:, None] for part in schedule.affine(found.arrays["probe_t"], "x0", target)))
    return {
        level: [one.summary() if one.mostly_there else None for one in (products[row, v] for row in range(len(products)))]
        for v, level in enumerate(probing["levels"])
    }


def compare(stored: Record, again: Record) -> tuple[bool, str]:
    """Whether two runs of one configuration agree, and a sentence that says how.

    Another machine rounds otherwise and a training drifts apart, so beside equal hashes it counts as agreement that at
    every measured step the 99 % Wilson intervals of all four outcomes overlap.
    """
    counts, counts_again = stored.arrays["counts"], again.arrays["counts"]  # reading them checks them against the hash
    for one in (stored, again):
        if one.origin["weights_sha256"]:
            one.weights  # likewise
    if all(stored.origin[name] == again.origin[name] for name in ("arrays_sha256", "weights_sha256")):
        return True, "the same arrays, bit for bit"
    low, high = outcome.Outcomes(counts).intervals(0.99)
    low_again, high_again = outcome.Outcomes(counts_again).intervals(0.99)
    apart = ((low > high_again) | (low_again > high)).any(-1)
    if not apart.any():
        return True, "other arrays, the same outcomes within 99 % intervals"
    return False, f"other outcomes at steps {stored.arrays['step'][apart].tolist()}"


def _summary(counts: Tensor) -> str:
    return ", ".join(f"{name} {n / counts.sum():.0%}" for name, n in zip(outcome.OUTCOMES, counts.tolist()))


def code_version() -> str:
    """The commit the code stands at, with "-dirty" if it has changed since; the package's version outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    if (record.ROOT / ".git").exists() and shutil.which("git"):
        result = subprocess.run(command, cwd=record.ROOT, capture_output=True, text=True)
        if result.returncode == 0:
            return result.stdout.strip()
    return metadata.version("localbias")
