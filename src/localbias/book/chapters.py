"""The book's chapters: sources in `notebooks/`, executed copies in `book/notebooks/`.

A chapter is written as a jupytext `py:percent` file and committed a second time as an executed
notebook. The notebook carries a stamp, the hashes of its source and of the records that it read;
each cell names those that it read itself, from which `origins` knows where a figure comes from. So
`stale` can say without running anything which notebooks no longer show what their source says, and
`refresh` runs those and no others.

The package itself is not hashed: an edited docstring must not rerun all chapters. A change of
behaviour is seen by `pytest --nbval`, which executes the committed notebooks and compares what they
print.
"""

import base64
import hashlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from localbias.store import READS, ROOT, write_atomically

CARD = (1200, 630)  # pixels of a social card
OPTIONS = ("label", "fig-cap", "fig-alt")  # of a cell that draws a figure
CHECKED = "_localbias_parameters"  # set in a chapter's namespace once its parameters are checked


def sources(root: Path = ROOT) -> list[Path]:
    """The chapters' sources, in the book's order."""
    return sorted((root / "notebooks").glob("*.py"))


def find(chapter: str, root: Path = ROOT) -> Path:
    """The source of a chapter, by its number or its stem. ValueError names those there are."""
    known = sources(root)
    for source in known:
        number = source.stem.partition("_")[0].lstrip("0")
        if chapter in (source.stem, number, f"0{number}"):
            return source
    raise ValueError(
        f"no chapter {chapter!r}; there are: {', '.join(source.stem for source in known)}"
    )


def notebook(source: Path, root: Path = ROOT) -> Path:
    """Where the executed copy of a chapter lies."""
    return root / "book" / "notebooks" / f"{source.stem}.ipynb"


def stale(root: Path = ROOT) -> list[tuple[str, str]]:
    """The chapters whose executed copy is out of date.

    Returns:
        Pairs (chapter, reason), the chapter by its stem, such as `01_synthetic_hallucination`.
    """
    reasons = [(source.stem, _reason(source, root)) for source in sources(root)]
    return [(chapter, reason) for chapter, reason in reasons if reason]


def refresh(
    paths: Iterable[str | Path] | None = None, force: bool = False, root: Path = ROOT
) -> list[str]:
    """Run the stale chapters and put their executed copies in place.

    A copy is replaced whole and only after all its cells have run: a chapter that fails leaves the
    old one. The same code writes the same bytes: no times, no versions of the machine, no progress
    bars.

    Args:
        paths: the chapters, by number, stem, or path of source or notebook; None: all of them.
        force: whether to run those that are up to date too.
        root: the repository.

    Returns:
        The chapters that ran, by stem.

    Raises:
        ValueError: where a path names no chapter.
        FileNotFoundError: where there are no chapters.
        papermill.PapermillExecutionError: where a cell raises.
    """
    known = {source.stem: source for source in sources(root)}
    if not known:
        where = root / "notebooks"
        raise FileNotFoundError(f"no chapters in {where}; they are in a checkout of the repository")
    wanted = list(known) if paths is None else [find(Path(path).stem, root).stem for path in paths]
    ran = []
    for chapter in wanted:
        reason = "asked for" if force else _reason(known[chapter], root)
        if reason:
            print(f"{chapter}: {reason}, running it", flush=True)
            executed = _execute(known[chapter], root)
            write_atomically(notebook(known[chapter], root), executed.encode())
            _show_in_readme(executed, root)
            ran.append(chapter)
    return ran


def parameters(namespace: dict[str, Any], **allowed: Any) -> None:
    """Refuse a chapter's parameters where they are unknown or bad.

    Papermill only prints a note when it is given a parameter that the chapter does not have. So a
    chapter begins with the cell tagged `parameters` and, before it makes any other variable, calls
    this::

        parameters(globals(), tier=TIERS, device=str, seed=range(2**31), rate=float)

    Only data that papermill can pass are checked (text, numbers, None, lists, dicts): not tuples,
    modules, functions, names that begin with an underscore, or what IPython's startup files made.
    When the cell is run again, the variables that the chapter has made since are its own.

    Args:
        namespace: the chapter's `globals()`.
        allowed: for each parameter a type, a tuple of choices or a range of integers.

    Raises:
        ValueError: where a parameter is unknown, missing or not what it may be, naming it and what
            is allowed.
    """
    first_time = CHECKED not in namespace
    for name in _given(namespace) - allowed.keys() if first_time else ():
        value, known = namespace[name], ", ".join(allowed)
        raise ValueError(f"unknown parameter {name} = {value!r}; there are: {known}")
    for name, spec in allowed.items():
        if name not in namespace:
            raise ValueError(f"parameter {name} is missing; it may be {_describe(spec)}")
        if not _fits(namespace[name], spec):
            raise ValueError(f"parameter {name} = {namespace[name]!r}; it may be {_describe(spec)}")
    namespace[CHECKED] = True


def _given(namespace: dict[str, Any]) -> set[str]:
    """The names of data that papermill or the chapter's first cell may have set."""
    plain = (str, int, float, list, dict, type(None))
    shell = namespace.get("get_ipython", lambda: None)()
    hidden = set(getattr(shell, "user_ns_hidden", ())) | {"In", "Out"}
    return {
        name
        for name, value in namespace.items()
        if isinstance(value, plain) and not name.startswith("_") and name not in hidden
    }


def _fits(value: Any, spec: Any) -> bool:
    """Whether a value is of that type, or one of those choices.

    It goes by the exact type: Python takes True and 1.0 for 1, which a parameter must not.
    """
    if spec is float:
        return type(value) in (int, float)  # papermill reads "-p rate 1" as an int
    if isinstance(spec, type):
        return type(value) is spec
    if isinstance(spec, range):
        # A value that is no int would be compared with each number of the range.
        return type(value) is int and value in spec
    return value in spec and type(value) is type(spec[spec.index(value)])


def _describe(spec: Any) -> str:
    """What is allowed, in words."""
    if isinstance(spec, type):
        return f"any {spec.__name__}"
    if isinstance(spec, range):
        return f"an int from {spec[0]} to {spec[-1]}"
    return "one of " + ", ".join(map(repr, spec))


def _sha256(path: Path) -> str:
    """The hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reason(source: Path, root: Path) -> str | None:
    """Why a chapter is stale; None where it is not."""
    path = notebook(source, root)
    if not path.exists():
        return "it was never executed"
    try:
        notebook_as_json = json.loads(path.read_text(encoding="utf-8"))
        stamp = notebook_as_json["metadata"]["localbias"]
    except (ValueError, KeyError):  # conflict marks of a merge, or a copy executed by other means
        return "its notebook has no stamp that can be read"
    if stamp["source"] != _sha256(source):
        return "its source changed"
    for name, digest in stamp["records"].items():
        record = root / "records" / name
        if not record.exists():
            return f"record {name} is gone"
        if _sha256(record) != digest:
            return f"record {name} changed"
    cells = [cell["metadata"] for cell in notebook_as_json["cells"]]
    if stamp["records"] and not any("localbias" in metadata for metadata in cells):
        return "its notebook does not say which cells read its records"
    return None


def _execute(source: Path, root: Path) -> str:
    """Run a chapter from its source; the stamped notebook as JSON text."""
    # Imported here: the book's build and a chapter's own kernel use this module without them.
    import jupytext
    import nbformat
    import papermill

    digest = _sha256(source)  # before the run: an edit during it leaves the chapter stale
    nb = jupytext.read(source, fmt="py:percent")
    for cell in nb.cells:
        _apply_options(cell)
    nb.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    }
    folder = notebook(source, root).parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        reads = Path(scratch) / "reads"
        reads.touch()
        os.environ[READS] = str(reads)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads on shared cores wait for each other
        noted = _NotedReads(reads)
        try:
            # In the notebook's folder, as nbval's kernel. Progress bars and warnings are shown.
            nb = papermill.execute_notebook(
                nb,
                None,
                kernel_name="python3",
                cwd=folder,
                stderr_file=sys.stderr,
                on_cell_executed=noted.after_cell,
            )
        finally:
            del os.environ[READS]
        records = sorted(set(reads.read_text(encoding="utf-8").splitlines()))
    _settle(nb)
    for place, names in noted.by_cell.items():
        nb.cells[place].metadata["localbias"] = {"records": names}
    nb.metadata["localbias"] = {
        "source": digest,
        "records": {name: _sha256(root / "records" / name) for name in records},
    }
    nbformat.validate(nb)
    return nbformat.writes(nb) + "\n"


class _NotedReads:
    """Which records each cell of a running chapter reads.

    Args:
        reads: the file to which the chapter's kernel adds the name of each.
    """

    def __init__(self, reads: Path):
        self.by_cell: dict[int, list[str]] = {}
        self._reads, self._seen = reads, 0

    def after_cell(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """nbclient's hook."""
        names = self._reads.read_text(encoding="utf-8").splitlines()
        if new := sorted(set(names[self._seen :])):
            self.by_cell[cell_index] = new
        self._seen = len(names)


def cell_options(code: str) -> dict[str, Any]:
    """The options in the comment block that a code cell begins with, as Quarto writes them.

    Such a block is::

        #| label: parity-scalars
        #| fig-cap: What the figure shows, for those who see it.
        #| fig-alt: >-
        #|   The same for those who do not, on as many lines as it takes.

    Raises:
        ValueError: where the block is no YAML mapping, or has another option than these three.
    """
    block = takewhile(lambda line: line.startswith("#|"), code.splitlines())
    text = "\n".join(line.removeprefix("#|").removeprefix(" ") for line in block)
    options = yaml.safe_load(text) or {}
    if not isinstance(options, dict) or not options.keys() <= set(OPTIONS):
        raise ValueError(f"cell options {options!r}; allowed: {', '.join(OPTIONS)}")
    return options


def _apply_options(cell: Any) -> None:
    """Have MyST-NB show a code cell's picture as the figure that its options describe."""
    options = cell_options(cell.source) if cell.cell_type == "code" else {}
    if "fig-cap" in options:
        figure = {"name": f"fig-{options['label']}", "caption": options["fig-cap"]}
        shown = {"figure": figure}
        if "fig-alt" in options:  # a slider's pictures bring their own
            shown["image"] = {"alt": options["fig-alt"]}
        cell.metadata["mystnb"] = shown


def _show_in_readme(executed: str, root: Path) -> None:
    """Make the picture of a cell tagged `readme` the README's and the social card.

    It too is one a chapter computed. The card has the size that sites which preview links ask for.
    """
    for cell in json.loads(executed)["cells"]:
        if "readme" in cell["metadata"].get("tags", ()):
            from PIL import Image, ImageOps

            data = [out.get("data", {}) for out in cell["outputs"]]
            picture = next(kinds["image/png"] for kinds in data if "image/png" in kinds)
            drawn = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA")
            ground = Image.new("RGBA", drawn.size, "white")
            opaque = Image.alpha_composite(ground, drawn).convert("RGB")
            card = ImageOps.pad(opaque, CARD, color="white")
            for name, image in (("readme", opaque), ("card", card)):
                png = io.BytesIO()
                image.quantize(256).save(png, "PNG", optimize=True)
                write_atomically(root / "book" / "images" / f"{name}.png", png.getvalue())


def _settle(nb: Any) -> None:
    """Remove from an executed notebook all that differs from run to run."""
    nb.metadata.pop("papermill", None)
    nb.metadata["language_info"].pop("version", None)
    for number, cell in enumerate(nb.cells):
        cell["id"] = f"cell-{number:03d}"
        for key in ("papermill", "execution", "lines_to_next_cell"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if not _is_progress(out)]
            _shrink_pictures(cell.outputs)


def _shrink_pictures(outputs: Iterable[Any]) -> None:
    """Bring an executed cell's pictures down to what a page wants to carry."""
    from localbias.figures.png import shrink

    for data in (out["data"] for out in outputs if "image/png" in out.get("data", {})):
        small = shrink(base64.b64decode(data["image/png"]))
        data["image/png"] = base64.b64encode(small).decode()


def _is_progress(output: Any) -> bool:
    """Whether an output is a progress bar's: it redraws its line, or moves the cursor and no more.

    A warning does neither, and stays.
    """
    return (
        output.output_type == "stream"
        and output.name == "stderr"
        and ("\r" in output.text or not re.sub(r"\x1b\[\w", "", output.text).strip())
    )
