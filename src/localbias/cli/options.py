"""What the commands share: the application, the statuses they end with, their common options."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

FAILED, DIFFERS, DAMAGED, MISSING = 1, 1, 3, 4  # statuses; 2 is typer's own, for a wrong option
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # its own markup drops [words in brackets] from the help
    context_settings={"help_option_names": ["-h", "--help"]},
)

Names = Annotated[list[str], typer.Argument(help="Names or patterns, such as 'quarter-*'.")]
Tier = Annotated[str, typer.Option(help="smoke, laptop or paper.")]
Seeds = Annotated[list[int], typer.Option("--seed", help="May be given several times.")]
Settings = Annotated[
    list[str],
    typer.Option("--set", help="field=value[,value …], such as training.batch=32,64."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option(help="Threads of the CPU; without it OMP_NUM_THREADS, else one.")
]


@contextmanager
def odd_files() -> Iterator[Callable[[str], object]]:
    """Take sentences about files that are no records; print them last, and end with DAMAGED."""
    sentences: list[str] = []
    try:
        yield sentences.append
    finally:
        for sentence in sentences:
            typer.echo(f"localbias: {sentence}", err=True)
    if sentences:
        raise typer.Exit(DAMAGED)


def require_picture(path: Path) -> None:
    """Refuse a file that no figure can be drawn into, before anything is drawn or printed."""
    from localbias.book.drawing import SUFFIXES

    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path.name}; allowed: a file that ends in {', '.join(SUFFIXES)}")


def shown(path: Path) -> str:
    """A file as one types it: from the working folder where it lies below that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def one_line(error: BaseException) -> str:
    """What an error says, in a line."""
    return " ".join(str(error).split()) or type(error).__name__
