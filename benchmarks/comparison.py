"""A comparison of contestants on every network and size: runs it and writes its tables."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NamedTuple

import typer
from measuring import Contestant, Report, clock_name, interleaved, machine, ratios, spread, table
from peers import BATCH, EXPERIMENTS, Task, matrix_product

OURS, NAIVE, CEILING = "localbias", "the same network, a naive loop", "matrix product"
SIZES = ("laptop", "paper")
AIM = 0.7  # of the best peer's time


class Comparison(NamedTuple):
    """What is compared.

    Attributes:
        unit: what a time is of.
        contestants: by kind of network and name, what each process prepares of a `Task`.
        steps: by size, steps a turn of the UNet and of the DiT.
        scale: steps of a unit.
        shares: prepares a profile of ours, if one is wanted: by kind of operator, its share.
    """

    unit: str
    contestants: dict[str, dict[str, Callable[[Task], Any]]]
    steps: dict[str, tuple[int, int]]
    scale: int = 1
    shares: Callable[[Task], Any] | None = None


def command(what: Comparison, told: str) -> typer.Typer:
    """The command of a script that makes a comparison; `told` is what its help begins with."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command(help=told)
    def main(
        network: Annotated[list[str], typer.Option(help="unet or dit; may be given twice.")] = [
            "dit",
            "unet",
        ],
        size: Annotated[list[str], typer.Option(help="laptop or paper; may be given twice.")] = [
            *SIZES
        ],
        rounds: Annotated[int, typer.Option(help="Turns of every contestant.")] = 7,
        threads: Annotated[int, typer.Option(help="CPU cores to use.")] = 1,
        smoke: Annotated[
            bool, typer.Option("--smoke", help="Seconds: tiny networks, once.")
        ] = False,
        output: Annotated[Path | None, typer.Option(help="Also write the tables there.")] = None,
    ) -> None:
        compare(what, network, size, rounds, threads, smoke, output)

    return app


def compare(
    what: Comparison,
    networks: list[str],
    sizes: list[str],
    rounds: int,
    threads: int,
    smoke: bool,
    output: Path | None,
) -> None:
    """Print a table a network and size, and what it says of the aim."""
    for name, chosen, known in (("network", networks, EXPERIMENTS), ("size", sizes, SIZES)):
        if unknown := [one for one in chosen if one not in known]:
            raise typer.BadParameter(f"{name} {unknown[0]!r}; known: {', '.join(known)}")
    for name, count in (("rounds", rounds), ("threads", threads)):
        if count < 1:
            raise typer.BadParameter(f"{name} {count}; allowed: 1 or more")
    if smoke:
        sizes, rounds = ["smoke"], 1
    for library in ("denoising_diffusion_pytorch", "diffusers.training_utils", "diffusers"):
        with suppress(ModuleNotFoundError):  # imported once, and its memory is nobody's
            __import__(library)
    report = Report(output)
    report(machine(threads), "")
    for size in sizes:
        for kind in networks:
            task = Task(kind, size, what.steps[size][kind == "dit"])
            shape = "×".join(map(str, task.setup.renderer.shape[1:]))
            title = f"## {kind}, {size}: {what.unit}, {shape} pixels, batch {BATCH}"
            report(f"{title}, turns of each: {rounds}", "")
            contestants = {n: partial(p, task) for n, p in what.contestants[kind].items()}
            turns, about, left = interleaved(
                contestants | {CEILING: matrix_product}, rounds, threads, f"{size} {kind}"
            )
            report(*rows(what, task, turns, about, threads), "")
            report(*conclusion(turns, about, task))
            if what.shares:
                with Contestant(partial(what.shares, task), threads) as profiled:
                    parts = profiled.about
                told = ", ".join(f"{name} {share:.0%}" for name, share in parts.items())
                report(f"Our time by operator: {told}.")
            report(*(f"Left out: {name}, {why}." for name, why in left.items()), "")


def rows(what: Comparison, task: Task, turns: dict, about: dict, threads: int) -> list[str]:
    """A row a contestant."""
    scale = what.scale / task.steps
    header = ["", "parameters", f"{clock_name(threads)} of {what.unit}, s", "ours of its time"]
    header += ["peak memory, MB", "GFLOP", "of a matrix product's rate"]
    peak = rate(turns[CEILING], about[CEILING]["flops"])
    found = []
    for name, taken in turns.items():
        if name == CEILING:
            continue
        seconds = [turn.seconds * scale for turn in taken]
        low, high = spread(seconds)
        share, *around = ratios(turns[OURS], taken)
        memory = max(turn.memory for turn in taken) / 1e6
        flops = about[name]["flops"]
        cells = [name, f"{about[name]['parameters']:,}"]
        cells += [f"{median(seconds):.3g} ({low:.3g}–{high:.3g})"]
        cells += [f"{share:.2f} ({around[0]:.2f}–{around[1]:.2f})" if name != OURS else ""]
        cells += [f"{memory:,.0f}", f"{flops * what.scale / 1e9:,.3g}"]
        cells += [f"{rate(taken, flops * task.steps) / peak:.0%}"]
        found.append(cells)
    return table(header, found)


def rate(turns: list, flops: float) -> float:
    """Floating-point operations a second, by the median of the turns."""
    return flops / median(turn.seconds for turn in turns)


def conclusion(turns: dict, about: dict, task: Task) -> list[str]:
    """Whether the aim is reached, and how much of our time is arithmetic that nobody can save."""
    lines = []
    for which, names in (
        ("other library", [name for name in turns if name not in (OURS, NAIVE, CEILING)]),
        ("of all others", [name for name in turns if name not in (OURS, CEILING)]),
    ):
        if not names:
            continue
        best = min(names, key=lambda name: median(turn.seconds for turn in turns[name]))
        share, low, high = ratios(turns[OURS], turns[best])
        verdict = "reached" if share <= AIM else "not reached"
        lines.append(
            f"The best {which} is {best}: ours takes {share:.2f} of its time ({low:.2f}–{high:.2f})"
            f"; the aim, {AIM} at most, is {verdict}."
        )
    peak = rate(turns[CEILING], about[CEILING]["flops"])
    least = rate(turns[OURS], about[OURS]["flops"] * task.steps) / peak
    lines.append(
        f"Matrix products of 1,024² run at {peak / 1e9:.0f} GFLOP/s here. At that rate the same "
        f"arithmetic would take {least:.2f} of our time."
    )
    return lines
