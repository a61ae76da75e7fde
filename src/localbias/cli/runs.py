"""Making records and checking them: `run`, `verify`, `sample`, `sweep`, `migrate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localbias.cli.options import (
    DAMAGED,
    DIFFERS,
    FAILED,
    MISSING,
    Device,
    Names,
    Seeds,
    Settings,
    Threads,
    Tier,
    app,
    odd_files,
    one_line,
    shown,
)

if TYPE_CHECKING:
    import numpy as np

    from localbias.experiments.sweep import Job


@app.command("run")
def run_experiments(
    names: Names,
    tier: Tier = "laptop",
    seed: Seeds = [0],  # noqa: B006  typer copies it
    setting: Settings = [],  # noqa: B006
    device: Device = "auto",
    threads: Threads = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would train and how long; train nothing.")
    ] = False,
) -> None:
    """Run experiments without a record; an interrupted run goes on from its checkpoint."""
    jobs = _prepared(names, tier, seed, setting, device, threads)
    if dry_run:
        _plan(jobs)
        return
    for job in jobs:
        _run(job, device)


@app.command()
def verify(
    names: Names,
    tier: Tier = "laptop",
    seed: Seeds = [0],  # noqa: B006
    setting: Settings = [],  # noqa: B006
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train again from nothing and compare every array with the records.

    Status 1 where one differs, 3 where one is damaged, 4 where there is none to compare with.
    """
    import tempfile

    from localbias.experiments import bit_for_bit, differences

    worst = 0
    for job in _prepared(names, tier, seed, setting, device, threads):
        stem = job.experiment.stem
        try:
            stored = job.find()
        except ValueError as error:
            typer.echo(f"{stem}: {error}")
            worst = max(worst, DAMAGED)
            continue
        if stored is None:
            typer.echo(f"{stem}: no record to compare with")
            worst = max(worst, MISSING)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folders = {"folder": Path(scratch) / "records", "runs": Path(scratch) / "runs"}
            again = job.run(device, **folders)
            apart = differences(stored, again)
            same = "the same arrays, bit for bit"
            if not bit_for_bit(stored, again):
                same = "other arrays, within the tolerances for another machine"
        typer.echo(f"{stem}: {'; '.join(apart) or same}")
        worst = max(worst, DIFFERS if apart else 0)
    if worst:
        raise typer.Exit(worst)


@app.command()
def sample(
    names: Names,
    tier: Tier = "laptop",
    seed: Seeds = [0],  # noqa: B006
    setting: Settings = [],  # noqa: B006
    at: Annotated[
        int | None,
        typer.Option(help="Step of training; without it the last whose weights are kept."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="How many; without it as many as the experiment counts.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Of sampling; without it all that the schedule has.")
    ] = None,
    eta: Annotated[float, typer.Option(help="0 for DDIM, 1 for ancestral sampling.")] = 1.0,
    clamp: Annotated[
        float | None,
        typer.Option(help="Bound on x̂0; without it none. The experiments' own is mostly 1."),
    ] = None,
    variance: Annotated[str, typer.Option(help="small, or large with eta 1.")] = "small",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Sample recorded networks in another way, without training; ancestral of all steps by default.

    A network can be sampled at the steps whose weights its record keeps. A pattern means the
    experiments that keep some.
    """
    from localbias.experiments import samples as drawings

    jobs = _prepared(names, tier, seed, setting, device, threads)
    meant = [job for job in jobs if job.experiment.keep or job.name in names] or jobs[:1]
    how = dict(samples=samples, steps=steps, eta=eta, clamp=clamp, variance=variance)
    asked = [drawings.Samples.ancestral(job.experiment, at, **how) for job in meant]
    for one in asked:
        drawings.network_of(one)  # before the first is drawn
    for one in asked:
        found = drawings.run(one, device)
        typer.echo(f"{shown(found.path)}  {_outcomes(found.arrays['counts'])}")


@app.command()
def sweep(
    names: Names,
    seeds: Annotated[str, typer.Option(help="Numbers and ranges, such as 0-2 or 0,3.")] = "0",
    tier: Tier = "laptop",
    setting: Settings = [],  # noqa: B006
    device: Device = "auto",
    threads: Threads = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Show what has no record, with its minutes.")
    ] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="Print the command of each job, or of the missing ones.")
    ] = False,
) -> None:
    """Run experiments × seeds × settings one after another, a record each.

    A job that fails stops no other; those that failed are named at the end, with status 1. What is
    recorded already is not run again. workflow/ runs the same jobs on many cores or machines.
    """
    from localbias.experiments import sweep as sweeps

    jobs = _prepared(names, tier, sweeps.seeds_of(seeds), setting, device, threads)
    if listing:
        for job in _missing(jobs) if missing else jobs:
            typer.echo(job.command)
    elif missing:
        _plan(jobs, recorded=False)
    if missing or listing:
        return
    failed = []
    for job in jobs:
        try:
            _run(job, device)
        except Exception as error:  # whatever it is, the other jobs go on
            failed.append(f"{job.command}: {one_line(error)}")
            typer.echo(f"failed: {failed[-1]}", err=True)
    if failed:
        typer.echo(f"\n{len(failed)} of {len(jobs)} jobs failed:", err=True)
        for sentence in failed:
            typer.echo(f"  {sentence}", err=True)
        raise typer.Exit(FAILED)


@app.command()
def migrate(
    folder: Annotated[
        Path | None, typer.Argument(help="Of the records; the project's without it.")
    ] = None,
) -> None:
    """Bring records of an older schema to the present one; arrays and data are checked first."""
    from localbias.experiments import migration
    from localbias.store import RECORDS

    changed = migration.migrate(folder or RECORDS)
    typer.echo(f"{changed} records were brought to the present schema")


def _prepared(
    names: list[str],
    tier: str,
    seeds: Sequence[int],
    settings: Sequence[str],
    device: str,
    threads: int | None,
) -> "list[Job]":
    """The jobs that are meant, all checked before the first begins; the device and threads too."""
    from localbias.experiments import sweep as sweeps
    from localbias.training import auto_device, use_threads

    auto_device(device)
    use_threads(threads)
    return sweeps.jobs(names, tier, seeds, settings)


def _run(job: "Job", device: str) -> None:
    """Make the record of a job, or say that it is there."""
    if found := job.find():
        typer.echo(f"already recorded: {shown(found.path)}")
    else:
        found = job.run(device)
        arrays = found.origin["arrays_sha256"][:16]
        typer.echo(f"{shown(found.path)}  arrays {arrays}  {found.seconds:.0f} s")


def _outcomes(counts: "np.ndarray") -> str:
    """Shares of the outcomes [4], in a line."""
    from localbias.measure import OUTCOMES

    return ", ".join(f"{name} {share:.0%}" for name, share in zip(OUTCOMES, counts / counts.sum()))


def _plan(jobs: "Sequence[Job]", recorded: bool = True) -> None:
    """What would be trained, and how long that takes; also what is recorded, if that is wanted."""
    from localbias.experiments import sweep as sweeps
    from localbias.store import cost

    with odd_files() as odd:
        planned = sweeps.plan(jobs, odd)
        for one in planned:
            if one.record and recorded:
                typer.echo(f"already recorded: {shown(one.record.path)}")
            if not one.record:
                takes = f"{one.seconds / 60:7.1f} minutes" if one.seconds else "      ? minutes"
                begun = "  goes on from its checkpoint" if one.begun else ""
                steps = one.job.experiment.training.steps
                typer.echo(f"{takes}  {steps:>8} steps  {' '.join(one.job.arguments)}{begun}")
        seconds = [one.seconds for one in planned if not one.record]
        if seconds:
            typer.echo(cost("trainings", seconds))
        elif len(planned) == len(jobs):  # none of the records is damaged
            typer.echo("all of it is recorded already")


def _missing(jobs: "Sequence[Job]") -> "list[Job]":
    """Those without a record; a damaged one counts as none, so that its job says what is wrong."""
    from localbias.experiments import sweep as sweeps

    damaged: list[str] = []
    whole = {id(one.job) for one in sweeps.plan(jobs, damaged.append) if one.record}
    return [job for job in jobs if id(job) not in whole]
