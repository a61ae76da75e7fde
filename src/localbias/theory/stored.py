"""Flows that are stored: what was measured of one is kept in records/theory, and read from there.

A flow that is interrupted goes on from its last checkpoint.
"""

import math
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from time import monotonic
from typing import Any

import torch
from tqdm import tqdm

from localbias.store import (
    RECORDS,
    RUNS,
    Record,
    all_records,
    beyond_defaults,
    code_version,
    cost,
    find,
    key_of,
    load_checkpoint,
    only_writer,
    process_of,
    save,
    save_checkpoint,
)
from localbias.theory.flow import Flow, State, flow, start
from localbias.theory.target import parity_levels
from localbias.theory.trace import Rows, Sample, Stairs, Trace, goals, measure, measuring

SAVE_EVERY = 60  # seconds between checkpoints
FLOWS_FOLDER = RECORDS / "theory"
# The flows that are stored, by (d, seed); those of 3 to 8 signs leave M in fewer steps, that of 16
# does not.
FLOWS = {
    (d, seed): Flow(d, steps=100_000, seed=seed)
    for d in (3, 4, 5, 6, 7, 8, 16)
    for seed in range(1 if d == 16 else 3)
}
# Three signs up to nine tenths of the last drop; and A.8 as it is printed, as far as minutes carry.
TO_THE_OPTIMUM = [Flow(3, steps=30_000, seed=seed) for seed in range(3)]
AS_PRINTED = Flow(8, steps=6000, width=2000, beginning="printed")
SINGLE = ("axis", "rest")  # columns that are stored in single precision


def run(
    config: Flow, until: str | None = "left", folder: Path = FLOWS_FOLDER, runs: Path = RUNS
) -> Trace:
    """The stored trace of exactly this flow; where there is none, the flow is run and stored.

    A flow that was interrupted goes on from its last checkpoint. The trace keeps no states, and
    `axis` and `rest` have single precision.

    Args:
        config: the flow.
        until: the goal at which the flow ends, a field of `Stairs`; None: it goes on to the last
            step.
        folder: of the records.
        runs: folder of the checkpoints.

    Raises:
        ValueError: for another `until`, and for a record or a checkpoint that is damaged or holds
            another flow.
        OSError: where a folder cannot be written into.
    """
    if until not in (None, *Stairs._fields):
        raise ValueError(f"until={until!r}; allowed: {', '.join(Stairs._fields)}, None")
    stem = _stem(config, until)
    record = find(stem, _stem_of, folder)
    if not record:
        with only_writer(stem, folder, runs):
            record = find(stem, _stem_of, folder) or _train(config, until, folder, runs)
    (runs / f"{stem}.safetensors").unlink(missing_ok=True)  # the record takes its place
    columns = {name: torch.from_numpy(array) for name, array in record.arrays.items()}
    columns |= {name: columns[name].double() for name in SINGLE}
    return Trace(config, parity_levels(config.alpha_bar, config.d), {}, **columns)


def announce(
    configs: Iterable[Flow], until: str | None = "left", folder: Path = FLOWS_FOLDER
) -> None:
    """Say how many of these flows have no record, and how long they take by those of their d.

    Args:
        configs: flows that are about to be asked of `run`.
        until: as there.
        folder: as there.
    """
    # To look whether a file is there is not to read it: origins of figures go by what is read.
    missing = [one for one in configs if not (folder / f"{_stem(one, until)}.json").exists()]
    seconds: list[float | None] = []
    for one in missing:
        like = all_records(f"flow-{one.d}-*", folder, odd=lambda sentence: None)
        seconds.append(mean(record.seconds for record in like) if like else None)
    if missing:
        print(cost("flows", seconds), flush=True)


def fingerprint(config: Flow) -> dict[str, float]:
    """What the code makes of a flow's first hundred steps: loss, weights on the axis, off it."""
    short = replace(config, steps=100)
    trace = measure(flow(short), Sample(short, 2**10))
    return {
        name: round(getattr(trace, name)[-1].sum().item(), 6) for name in ("loss", "axis", "rest")
    }


def _key(config: Flow, until: str | None) -> str:
    """The hash of a flow and of where it ends."""
    return key_of({"flow": beyond_defaults(config), "until": until})


def _stem(config: Flow, until: str | None) -> str:
    """The name of a record's files."""
    return f"flow-{config.d}-s{config.seed}-{_key(config, until)}"


def _stem_of(experiment: dict) -> str:
    """The name that belongs to the configuration of a record."""
    return _stem(Flow(**experiment["flow"]), experiment["until"])


def _train(config: Flow, until: str | None, folder: Path, runs: Path) -> Record:
    """Run a flow, from its last checkpoint on, and store what was measured of it."""
    code, began, stem, key = code_version(), monotonic(), _stem(config, until), _key(config, until)
    checkpoint, sample = runs / f"{stem}.safetensors", Sample(config)
    below = -math.inf if until is None else getattr(goals(sample.levels), until)
    state, rows = start(config), Rows()
    processes: list[dict[str, Any]] = []
    if checkpoint.exists():
        state, rows, processes = _restored(checkpoint, key)
    first, due = state.step, began + SAVE_EVERY
    step = first

    def process() -> dict[str, Any]:
        return process_of(
            code=code,
            device="cpu",
            threads=torch.get_num_threads(),
            libraries=("torch", "numpy", "scipy"),
            steps=(first, step),
            seconds=monotonic() - began,
        )

    bar = tqdm(total=config.steps, initial=first, desc=stem, unit="step")
    with bar:
        for passed in measuring(flow(config, state), sample, rows, below=below):
            bar.update(passed.step - step)
            step = passed.step
            if monotonic() > due:
                due = monotonic() + SAVE_EVERY
                _save(checkpoint, key, passed, rows, [*processes, process()])
    columns = rows.stacked()
    columns |= {name: columns[name].float() for name in SINGLE}
    origin = {
        "key": key,
        "experiment": {"flow": asdict(config), "until": until},
        "fingerprint": fingerprint(config),
        "processes": [*processes, process()],
    }
    arrays = {name: column.numpy() for name, column in columns.items()}
    return save(stem, origin, arrays, None, folder)


def _save(path: Path, key: str, state: State, rows: Rows, processes: list[dict]) -> None:
    """Write where a flow stands; where that fails, say so and go on."""
    arrays = {f"row.{name}": column.numpy() for name, column in rows.stacked().items()}
    arrays |= {name: getattr(state, name).numpy() for name in ("a", "w", "b")}
    notes = {"step": state.step, "time": state.time, "loss": state.loss, "processes": processes}
    try:
        save_checkpoint(path, key, arrays, notes)
    except OSError as error:
        tqdm.write(f"checkpoint {path} could not be written: {error}", file=sys.stderr)


def _restored(path: Path, key: str) -> tuple[State, Rows, list[dict]]:
    """What `_save` wrote: the state, the rows so far and the processes that made them."""
    arrays, notes = load_checkpoint(path, key)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    weights = [tensors.pop(name) for name in ("a", "w", "b")]
    rows = Rows.of({name.removeprefix("row."): column for name, column in tensors.items()})
    return State(notes["step"], notes["time"], notes["loss"], *weights), rows, notes["processes"]
