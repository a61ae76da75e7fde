"""`localbias`: list the experiments, run them, bring chapters up to date, verify records."""

import sys
from fnmatch import fnmatch
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Names = Annotated[list[str], typer.Argument(help="Names or patterns, such as 'quarter-*'.")]
Tier = Annotated[str, typer.Option(help="smoke, laptop or paper.")]
Seeds = Annotated[list[int], typer.Option("--seed", help="May be given several times.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.command("list")
def list_experiments():
    """Every experiment, its tiers, and the seeds recorded in each."""
    from localbias import catalogue, record

    recorded: dict[tuple[str, str], list[int]] = {}
    for found in record.every():
        experiment = found.experiment
        recorded.setdefault((experiment["name"], experiment["tier"]), []).append(experiment["seed"])
    width = max(map(len, catalogue.EXPERIMENTS))
    for name in catalogue.EXPERIMENTS:
        tiers = []
        for tier in catalogue.tiers(name):
            seeds = sorted(recorded.get((name, tier), []))
            tiers.append(f"{tier}: seeds {', '.join(map(str, seeds))}" if seeds else tier)
        typer.echo(f"{name:{width}}  {' | '.join(tiers)}")


@app.command("run")
def run_experiments(names: Names, tier: Tier = "laptop", seed: Seeds = [0], device: Device = "auto"):  # noqa: B006
    """Run experiments that have no record yet; an interrupted run goes on from its last checkpoint."""
    from localbias import catalogue, run

    for name in _chosen(names, tier):
        for one in seed:
            found = run.run(catalogue.make(name, tier, one), device)
            typer.echo(f"{found.path.name}  arrays {found.origin['arrays_sha256'][:16]}")


@app.command()
def verify(names: Names, tier: Tier = "laptop", seed: Seeds = [0], device: Device = "auto"):  # noqa: B006
    """Train again from nothing and compare with the stored records; exit status 1 where one differs."""
    import tempfile
    from pathlib import Path

    from localbias import catalogue, run

    differs = False
    for name in _chosen(names, tier):
        for one in seed:
            asked = catalogue.make(name, tier, one)
            stored = run.find(asked)
            if stored is None:
                typer.echo(f"{asked.stem}: no record to compare with")
                differs = True
                continue
            with tempfile.TemporaryDirectory() as folder:
                again = run.run(asked, device, Path(folder) / "records", Path(folder) / "runs")
                same, what = run.compare(stored, again)
            typer.echo(f"{asked.stem}: {what}")
            differs |= not same
    if differs:
        raise typer.Exit(1)


@app.command()
def notebooks(
    names: Annotated[list[str] | None, typer.Argument(help="Chapters, such as 04_real_text; all if none is named.")] = None,
    force: Annotated[bool, typer.Option(help="Also those that are up to date.")] = False,
):
    """Bring the chapters in book/notebooks up to date with their sources and records."""
    from localbias import chapters

    if not chapters.refresh(names or None, force=force):
        typer.echo("the chapters are up to date")


def _chosen(names: list[str], tier: str) -> list[str]:
    from localbias import catalogue

    if tier not in catalogue.TIERS:
        raise ValueError(f"unknown tier {tier!r}; known: {', '.join(catalogue.TIERS)}")
    chosen = []
    for pattern in names:
        matches = [name for name in catalogue.EXPERIMENTS if fnmatch(name, pattern)]
        if not matches:
            raise ValueError(f"unknown experiment {pattern!r}; known: {', '.join(catalogue.EXPERIMENTS)}")
        chosen += [name for name in matches if name not in chosen and (tier in catalogue.tiers(name) or name == pattern)]
    if not chosen:
        raise ValueError(f"no experiment of {', '.join(names)} has the tier {tier!r}")
    return chosen


def main() -> None:
    """The command. An error that names its cause is shown as one line, without a traceback."""
    try:
        app()
    except (ValueError, FileNotFoundError, FloatingPointError) as error:
        sys.exit(f"localbias: {error}")


if __name__ == "__main__":
    main()
