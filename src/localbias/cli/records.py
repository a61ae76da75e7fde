"""Looking at records: `list`, `records`, `show`."""

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localbias.cli.options import Settings, app, odd_files, require_picture, shown

if TYPE_CHECKING:
    from localbias.experiments.inventory import Entry

Pattern = Annotated[str, typer.Argument(help="Of names, such as 'quarter-*'.")]
SomeTier = Annotated[str | None, typer.Option(help="smoke, laptop or paper; all without it.")]
BAR = 8  # characters of a full bar


@app.command("list")
def list_experiments(pattern: Pattern = "*") -> None:
    """Every experiment, its tiers, and the seeds recorded in each."""
    from localbias.experiments import catalogue, inventory

    names = [name for name in catalogue.EXPERIMENTS if fnmatch(name, pattern)]
    if not names:
        raise ValueError(catalogue.unknown(pattern))

    with odd_files() as odd:
        recorded = {
            (entry.experiment.name, entry.experiment.tier): entry.seeds
            for entry in inventory.entries(pattern, odd=odd)
            if not entry.settings  # as the catalogue has it now
        }
        width = max(map(len, names))
        for name in names:
            parts = [
                f"{tier}: seeds {', '.join(map(str, recorded[name, tier]))}"
                if (name, tier) in recorded
                else tier
                for tier in catalogue.tiers(name)
            ]
            typer.echo(f"{name:<{width}}  {' | '.join(parts)}")


@app.command("records")
def list_records(
    pattern: Pattern = "*",
    tier: SomeTier = None,
) -> None:
    """What is recorded: minutes of one training, and the outcomes at its end, means over seeds.

    Fields that differ from what the name stands for now follow in brackets. Status 3 where a file
    is no whole record.
    """
    from localbias.experiments import inventory
    from localbias.measure import OUTCOMES

    with odd_files() as odd:
        found = inventory.entries(pattern, tier, odd)
        if not found:
            raise ValueError(inventory.nothing(pattern, tier))
        width = max(len(entry.experiment.name) for entry in found)
        typer.echo(
            f"{'name':<{width}}  tier    seeds      steps  minutes  made        "
            + "  ".join(f"{name:>6}" for name in OUTCOMES)
        )
        for entry in found:
            try:
                ends = entry.shares[-1]
            except ValueError as error:
                odd(str(error))
                continue
            shares = "  ".join(
                f"{share:>{max(6, len(name))}.0%}" for name, share in zip(OUTCOMES, ends)
            )
            changed = f"  [{' '.join(entry.changed)}]" if entry.changed else ""
            typer.echo(
                f"{entry.experiment.name:<{width}}  {entry.experiment.tier:<6}  "
                f"{_ranges(entry.seeds):<5}  {entry.experiment.training.steps:>9}  "
                f"{entry.minutes:>7.1f}  {max(entry.days) or '-':<10}  {shares}{changed}"
            )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Of an experiment, or of a record's file.")],
    tier: SomeTier = None,
    seed: Annotated[
        list[int], typer.Option("--seed", help="All that are recorded without it.")
    ] = [],  # noqa: B006
    setting: Settings = [],  # noqa: B006
    whole: Annotated[bool, typer.Option("--all", help="Fields at their default too.")] = False,
    png: Annotated[
        Path | None, typer.Option(help="A .png, .svg or .pdf to draw the curves into.")
    ] = None,
) -> None:
    """A record: its configuration, where it comes from, its outcomes along training.

    Of several seeds the outcomes are means.
    """
    from localbias.experiments import inventory, settings

    if png:
        require_picture(png)
    with odd_files() as odd:
        entry, others = inventory.pick(name, tier, seed, setting, odd)
        experiment = entry.experiment
        typer.echo(_label(entry))
        _fields("differs from what the name stands for now", entry.settings or {})
        own = settings.beyond(experiment).items()
        _fields("configuration", {k: v for k, v in own if k not in settings.FIXED})
        rest = settings.at_default(experiment)
        if whole:
            _fields("at their default", rest)
        else:
            typer.echo(f"  {len(rest)} fields are at their default; --all shows them")
        for record, day in zip(entry.records, entry.days):
            _origin(record, day)
        _curves(entry)
        if png:
            _draw(entry, png)
            typer.echo(f"\ndrawn: {png}")
        for other in others:
            chosen = [f"--set {text}" for text in other.changed]
            words = ["--tier", other.experiment.tier, *chosen]
            typer.echo(f"\nalso recorded: {' '.join(words)}, seeds {_ranges(other.seeds)}")


def _fields(title: str, values: dict[str, Any]) -> None:
    from localbias.experiments.settings import as_text

    if values:
        typer.echo(f"\n{title}")
        width = max(map(len, values))
        for text in as_text(values):
            name, _, value = text.partition("=")
            typer.echo(f"  {name:<{width}}  {value}")


def _origin(record: Any, day: str) -> None:
    """Where a record comes from: a line for each process that took part."""
    typer.echo(f"\n{shown(record.path)}")
    typer.echo(
        f"  {day or 'day unknown'}, {record.seconds / 60:.1f} minutes, "
        f"{record.origin['parameters']} parameters"
    )
    for process in record.origin["processes"]:
        (first, last), threads = process["steps"], process["threads"]
        code, dirty, _ = process["code"].partition("-dirty")
        made_by = [
            process["device"],
            f"{threads} thread{'s' * (threads > 1)}",
            process["machine"],
            *(f"{name} {version}" for name, version in process["libraries"].items()),
            f"code {code[:12]}{dirty}",
        ]
        typer.echo(f"  steps {first} to {last}: {', '.join(made_by)}")


def _curves(entry: "Entry") -> None:
    """The outcomes along training, a row a measured step."""
    from localbias.measure import OUTCOMES

    cell = BAR + 6
    names = "".join(f"{name:<{cell}}" for name in OUTCOMES)
    typer.echo(f"\n{'step':>9}  {names}".rstrip())
    for step, shares in zip(entry.steps, entry.shares):
        bars = "".join(f"{share:>4.0%} {bar(share)} " for share in shares)
        typer.echo(f"{step:>9}  {bars}".rstrip())
    chance = entry.records[0].origin["chance"]
    bars = "".join(f"{share:>4.0%} {bar(share)} " for share in chance)
    typer.echo(f"{'chance':>9}  {bars}".rstrip())


def bar(share: float, width: int = BAR) -> str:
    """A bar of so many characters, an eighth of one its smallest part; full for a share of 1."""
    eighths = round(share * width * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")).ljust(width)


def _draw(entry: "Entry", path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from localbias import figures

    figures.use_style()
    figure, axes = plt.subplots(figsize=(6.2, 3.6))
    figures.outcome_curves(axes, entry.steps, entry.counts, entry.records[0].origin["chance"])
    axes.set_title(_label(entry))
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def _label(entry: "Entry") -> str:
    plural = "s" * (len(entry.seeds) > 1)
    return f"{entry.experiment.name}, {entry.experiment.tier}, seed{plural} {_ranges(entry.seeds)}"


def _ranges(seeds: list[int]) -> str:
    """Seeds as "0-2, 5"."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(f"{run[0]}-{run[-1]}" if run[1:] else f"{run[0]}" for run in parts)
