"""Figures and chapters: `figure`, `notebooks`."""

from pathlib import Path
from typing import Annotated

import typer

from localbias.cli.options import Threads, Tier, app


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

    from localbias.book import chapters, drawing
    from localbias.experiments import catalogue
    from localbias.training import use_threads

    catalogue.require_tier(tier)
    if name is None:
        if out:
            raise ValueError(f"--out {out} is for one figure: name it, as they are listed without")
        for cell in drawing.figure_cells(chapters.find(chapter)):
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
        typer.Argument(help="Numbers or names, such as 04_real_text; all without."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also those that are up to date.")] = False,
) -> None:
    """Bring the chapters in book/notebooks up to date with their sources and records."""
    from localbias.book import chapters

    if not chapters.refresh(names or None, force=force):
        typer.echo("the chapters are up to date")
