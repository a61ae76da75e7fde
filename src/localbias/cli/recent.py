"""Models of today: `recent`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localbias.cli.options import Device, Seeds, Threads, app, shown

if TYPE_CHECKING:
    from localbias.experiments.pretrained import Model
    from localbias.experiments.recent import Album
    from localbias.statistics import RankCorrelation

CPU_RATE = 1e11  # operations a second; a guess of what a few cores reach


@app.command()
def recent(
    folder: Annotated[Path, typer.Argument(help="Where pictures and numbers go.")],
    model: Annotated[
        list[str], typer.Option("--model", help="sd-3.5-medium or flux.1-dev; both without it.")
    ] = [],  # noqa: B006  typer copies it
    prompt: Annotated[
        list[str], typer.Option("--prompt", help="What to draw; the paper's three without it.")
    ] = [],  # noqa: B006
    seed: Seeds = [0, 1, 2],  # noqa: B006
    region: Annotated[
        str | None,
        typer.Option(help="left,top,right,bottom in pixels, or as shares; the middle without it."),
    ] = None,
    level: Annotated[
        list[float], typer.Option("--level", help="By √ᾱ, at the nearest steps; .1 .3 .5 .7 .9.")
    ] = [],  # noqa: B006
    probes: Annotated[int | None, typer.Option(help="Products a step; 8 without it.")] = None,
    steps: Annotated[int | None, typer.Option(help="Of sampling; the model's own.")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels of a side; 1024.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="A folder that holds the pipeline of the one model named.")
    ] = None,
    tier: Annotated[
        str, typer.Option(help="paper; or smoke: tiny networks with random weights.")
    ] = "paper",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Pictures by recent models: share of real words, LDR along sampling, their rank correlation.

    The paper's prompts and seeds (A.6). Needs `pip install -e '.[book,models]' -c constraints.txt`
    in the checkout, weights that are fetched at the first call, and a GPU. What the folder has is
    not drawn again.
    """
    from localbias.experiments import pretrained, recent
    from localbias.training import auto_device, use_threads

    if tier not in ("smoke", "paper"):
        raise ValueError(f"unknown tier {tier!r}; known: smoke, paper")
    if any(one < 0 for one in seed):
        raise ValueError(f"seed={min(seed)}; allowed: whole numbers from 0")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; pictures need a folder")
    chosen = [pretrained.model_of(name) for name in dict.fromkeys(model or pretrained.MODELS)]
    if weights and (len(chosen) > 1 or tier == "smoke"):
        raise ValueError("--weights is of one model, and not of tier smoke; name it by --model")
    where = auto_device(device).type
    use_threads(threads)
    asked = {"probes": probes, "steps": steps, "size": size, "levels": tuple(level) or None}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    prompts = prompt or list(recent.PROMPTS)
    for one in chosen:
        one = pretrained.smoke(one) if tier == "smoke" else one
        if region or size:
            side = size or one.settings.size
            changes["region"] = pretrained.box_of(region or pretrained.MIDDLE, side)
        one = replace(one, settings=replace(one.settings, **changes))
        source = weights or one.weights
        album = recent.Album(folder, one.name, one.settings, source)
        missing = [(text, n) for text in prompts for n in seed if not album.find(text, n)]
        if missing and where == "cpu" and tier == "paper":
            _warn(one, len(missing))

        def pipeline(one: "Model" = one) -> Any:
            if tier == "smoke":
                return pretrained.tiny_pipeline(one)
            return pretrained.load(one, weights, where)

        pictures = list(recent.draw(album, prompts, seed, pipeline, where))
        _report(album, pictures)


def _warn(model: "Model", pictures: int) -> None:
    """What it costs without a GPU."""
    from localbias.experiments import pretrained
    from localbias.store import duration

    parameters, drawing, probing = pretrained.operations(model)
    total = pictures * (drawing + probing)
    typer.echo(
        f"localbias: there is no GPU here. {pictures} pictures by {model.name} "
        f"({parameters / 1e9:.1f} billion parameters) are about {total:.0e} operations, an "
        f"estimate; at {CPU_RATE:.0e} a second they take {duration(total / CPU_RATE)}",
        err=True,
    )


def _report(album: "Album", pictures: Sequence[dict[str, Any]]) -> None:
    from localbias.experiments import recent

    settings, levels = album.settings, list(recent.ratios(pictures[0]))
    box = ",".join(f"{side:g}" for side in settings.region)
    typer.echo(
        f"{album.name}, weights {album.weights}: {settings.steps} steps, guidance "
        f"{settings.guidance:g}, {settings.size} × {settings.size} pixels"
    )
    typer.echo(f"LDR of x̂0 in the region {box}, by √ᾱ; chance {pictures[0]['chance']:.3f}")
    width = max(len(entry["prompt"]) for entry in pictures)
    heads = "".join(f"{level:>8}" for level in levels)
    typer.echo(f"{'prompt':<{width}}  seed  words  real{heads}")
    for entry in pictures:
        words, wrong = recent.spelling(entry)
        cells = "".join(_cell(ratio) for ratio in recent.ratios(entry).values())
        real = f"{1 - wrong / words:>5.0%}" if words else f"{'-':>5}"
        typer.echo(f"{entry['prompt']:<{width}}  {entry['seed']:>4}  {words:>5} {real}{cells}")
    counted = [recent.spelling(entry) for entry in pictures]
    words, wrong = (sum(column) for column in zip(*counted))
    share = f"{words - wrong} of {words} words are real" if words else "no word was read"
    typer.echo(f"{share}; {sum(not words for words, _ in counted)} pictures without a word")
    typer.echo("rank correlation of LDR and share of misspelt words, 95 % by bootstrap:")
    over = recent.correlations(pictures)
    within = recent.correlations(pictures, within=True)
    for level in levels:
        name = "mean of levels" if level == recent.MEAN else f"√ᾱ = {level}"
        line = f"  {name:<14}  over pictures {_coefficient(over[level])}"
        typer.echo(f"{line}  within prompts {_coefficient(within[level])}".rstrip())
    typer.echo(f"everything: {shown(album.file)}")


def _cell(ratio: float | None) -> str:
    return f"{'-' if ratio is None else format(ratio, '.3f'):>8}"


def _coefficient(found: "RankCorrelation | None") -> str:
    """With its interval; a dash where it cannot be told."""
    if found is None:
        return f"{'-':<28}"
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}] of {found.n:>3}"
