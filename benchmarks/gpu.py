"""A training step of the paper's networks on a GPU: time, memory, and what a whole training takes.

`python benchmarks/gpu.py` on a machine with one; the README beside this file says what the table
has.
"""

import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from measuring import Report, machine, spread, table
from tqdm import tqdm

from localbias.experiments import catalogue, operations
from localbias.training import State, auto_device, train

# Those behind the paper's headline figures, each network and picture once.
EXPERIMENTS = (
    "parity-8-unet",
    "quarter-unet-470",
    "quarter-dit-470",
    "dyck-16-unet",
    "words-unet-999",
    "characters-unet-1000",
)
WARM_UP = 5  # steps: the first ones choose kernels and allocate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    rounds: Annotated[int, typer.Option(help="Turns of each.")] = 5,
    steps: Annotated[int, typer.Option(help="Steps a turn.")] = 10,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Seconds: tiny networks, once, on any device.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Also write the table there.")] = None,
) -> None:
    """A training step of the paper's networks on a GPU."""
    device = auto_device("auto" if smoke else "cuda")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "no GPU"
    tier, rounds, steps = ("smoke", 1, 1) if smoke else ("paper", rounds, steps)
    bar = tqdm(EXPERIMENTS, desc="experiments")
    rows = [_row(one, tier, device, rounds, steps) for one in bar]
    Report(output)(
        f"### a step on a GPU, {tier} tier, turns of each: {rounds}",
        "",
        *table(
            [
                "",
                "parameters",
                "signal × batch",
                "time of a step, ms",
                "peak memory, GB",
                "GFLOP",
                "TFLOP/s",
                "steps",
                "whole training, hours",
            ],
            rows,
        ),
        "",
        f"{name}; {machine(torch.get_num_threads())}",
    )


def _row(name: str, tier: str, device: torch.device, rounds: int, steps: int) -> list[str]:
    experiment = catalogue.make(name, tier)
    setup, config = catalogue.setup(name, tier), experiment.training
    state = State.fresh(setup.denoiser().to(device), config)
    run = train(state, config, setup.draw, experiment.seed)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    list(islice(run, 1 if tier == "smoke" else WARM_UP))
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        list(islice(run, steps))  # each ends by reading its loss, so nothing is left in the queue
        seconds.append((time.perf_counter() - begun) / steps)
    parameters, total = operations(experiment)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    low, high = spread(seconds)
    shape = " × ".join(map(str, setup.renderer.shape[1:]))
    return [
        f"`{name}`",
        f"{parameters:,}",
        f"{shape} × {config.batch}",
        f"{1000 * median(seconds):.1f} ({1000 * low:.1f}–{1000 * high:.1f})",
        f"{peak / 1e9:.1f}",
        f"{total / config.steps / 1e9:,.0f}",
        f"{total / config.steps / median(seconds) / 1e12:.1f}",
        f"{config.steps:,}",
        f"{median(seconds) * config.steps / 3600:.1f}",
    ]


if __name__ == "__main__":
    app()
