"""`localbias`: list experiments, run and verify them, draw figures, bring chapters up to date."""

import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import typer

DIFFERS, DAMAGED, MISSING = 1, 3, 4  # statuses; 2 is typer's own, for a wrong option
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Names = Annotated[list[str], typer.Argument(help="Names or patterns, such as 'quarter-*'.")]
Tier = Annotated[str, typer.Option(help="smoke, laptop or paper.")]
Seeds = Annotated[list[int], typer.Option("--seed", help="May be given several times.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option(help="Threads of the CPU; without it OMP_NUM_THREADS, else one.")
]


@app.command("list")
def list_experiments() -> None:
    """Every experiment, its tiers, and the seeds recorded in each."""
    from localbias.experiments import catalogue, engine
    from localbias.store import all_records

    recorded: dict[tuple[str, str], list[int]] = {}
    odd: list[str] = []
    for folder in {engine.records_of(tier) for tier in ("smoke", "laptop")}:
        for found in all_records(folder=folder, odd=odd.append):
            experiment = found.experiment
            made = recorded.setdefault((experiment["name"], experiment["tier"]), [])
            made.append(experiment["seed"])
    width = max(map(len, catalogue.EXPERIMENTS))
    for name in catalogue.EXPERIMENTS:
        parts = [
            f"{tier}: seeds {', '.join(map(str, sorted(recorded[name, tier])))}"
            if (name, tier) in recorded
            else tier
            for tier in catalogue.tiers(name)
        ]
        typer.echo(f"{name:<{width}}  {' | '.join(parts)}")
    for sentence in odd:
        typer.echo(f"localbias: {sentence}", err=True)
    if odd:
        raise typer.Exit(DAMAGED)


@app.command("run")
def run_experiments(
    names: Names,
    tier: Tier = "laptop",
    seed: Seeds = [0],  # noqa: B006  typer copies it
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Run experiments without a record; an interrupted run goes on from its checkpoint."""
    from localbias.experiments import catalogue
    from localbias.training import use_threads

    use_threads(threads)
    chosen = [(name, one) for name in _chosen(names, tier) for one in seed]
    there = {(name, one): bool(catalogue.found(name, tier, [one])) for name, one in chosen}
    for name, one in chosen:
        found = catalogue.run(name, tier, one, device)
        how = "already recorded" if there[name, one] else f"{found.seconds:.0f} s"
        typer.echo(f"{found.path.name}  arrays {found.origin['arrays_sha256'][:16]}  {how}")


@app.command()
def verify(
    names: Names,
    tier: Tier = "laptop",
    seed: Seeds = [0],  # noqa: B006  typer copies it
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train again from nothing and compare every array with the records.

    Status 1 where one differs, 3 where one is damaged, 4 where there is none to compare with.
    """
    import tempfile

    from localbias.experiments import bit_for_bit, catalogue, differences, find
    from localbias.training import use_threads

    use_threads(threads)
    worst = 0
    for name in _chosen(names, tier):
        for one in seed:
            asked = catalogue.make(name, tier, one)
            try:
                stored = find(asked)
            except ValueError as error:
                typer.echo(f"{asked.stem}: {error}")
                worst = max(worst, DAMAGED)
                continue
            if stored is None:
                typer.echo(f"{asked.stem}: no record to compare with")
                worst = max(worst, MISSING)
                continue
            with tempfile.TemporaryDirectory() as scratch:
                folders = {"folder": Path(scratch) / "records", "runs": Path(scratch) / "runs"}
                again = catalogue.run(name, tier, one, device, **folders)
                apart = differences(stored, again)
                same = "the same arrays, bit for bit"
                if not bit_for_bit(stored, again):
                    same = "other arrays, within the tolerances for another machine"
            typer.echo(f"{asked.stem}: {'; '.join(apart) or same}")
            worst = max(worst, DIFFERS if apart else 0)
    if worst:
        raise typer.Exit(worst)


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


@app.command()
def figure(
    chapter: Annotated[str, typer.Argument(help="A chapter's number or name, such as 2.")],
    name: Annotated[
        str | None, typer.Argument(help="The figure; without it they are listed.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file: .png, .svg or .pdf. NAME.png without it.")
    ] = None,
    tier: Tier = "laptop",
    seed: Annotated[int, typer.Option(help="As the chapter's parameter.")] = 0,
    threads: Threads = None,
) -> None:
    """Draw one figure of a chapter from its records."""
    import matplotlib

    from localbias.book import drawing
    from localbias.training import use_threads

    if name is None:
        for cell in drawing.figure_cells(drawing.find_chapter(chapter)):
            typer.echo(f"{cell.name}  {cell.caption}".rstrip())
        return
    use_threads(threads)
    matplotlib.use("agg")
    typer.echo(
        drawing.draw(chapter, name, out or Path(f"{name}.png"), {"tier": tier, "seed": seed})
    )


@app.command()
def notebooks(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Chapters, such as 04_real_text; all if none is named."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Also those that are up to date.")] = False,
) -> None:
    """Bring the chapters in book/notebooks up to date with their sources and records."""
    from localbias.book import chapters

    if not chapters.refresh(names or None, force=force):
        typer.echo("the chapters are up to date")


def _chosen(names: list[str], tier: str) -> list[str]:
    """The experiments that names and patterns mean; a pattern means those that have the tier."""
    from localbias.experiments import TIERS, catalogue

    if tier not in TIERS:
        raise ValueError(f"unknown tier {tier!r}; known: {', '.join(TIERS)}")
    chosen: list[str] = []
    for pattern in names:
        matches = [name for name in catalogue.EXPERIMENTS if fnmatch(name, pattern)]
        if not matches:
            raise ValueError(
                f"unknown experiment {pattern!r}; known: {', '.join(catalogue.EXPERIMENTS)}"
            )
        wanted = [name for name in matches if tier in catalogue.tiers(name) or name == pattern]
        chosen += [name for name in wanted if name not in chosen]
    if not chosen:
        raise ValueError(f"no experiment of {', '.join(names)} has the tier {tier!r}")
    return chosen


def main() -> None:
    """The command. An error that names its cause is shown as one line, without a traceback."""
    try:
        app()
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"localbias: {_one_line(error)}")
    except (MemoryError, RuntimeError) as error:  # torch's own errors of memory are RuntimeErrors
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        sys.exit(f"localbias: out of memory ({_one_line(error)})")


def _one_line(error: BaseException) -> str:
    """What an error says, in a line."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    main()
