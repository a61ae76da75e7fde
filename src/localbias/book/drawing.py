"""One figure of a chapter by its name, drawn from records without running the whole chapter.

A figure is a cell of a chapter's source with a label (`chapters.cell_options`); a slider has one
too, and no caption. It is drawn by the cells it needs, in their order: those that set the names it
reads, and what these read in turn.
"""

import ast
import builtins
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from localbias.book.chapters import cell_options, find
from localbias.store import ROOT

SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class FigureCell:
    """A cell that draws a figure.

    Attributes:
        name: of the figure, unique in its chapter.
        chapter: the source's stem.
        caption: in the chapter; "" for a slider.
        place: of the cell among the chapter's code cells.
    """

    name: str
    chapter: str
    caption: str
    place: int


def figure_cells(source: Path) -> list[FigureCell]:
    """The named figures of a chapter, in their order."""
    found = []
    for place, cell in enumerate(_code_cells(source)):
        options = cell_options(cell.source)
        if name := options.get("label"):
            found.append(FigureCell(name, source.stem, options.get("fig-cap", ""), place))
    return found


def draw(
    chapter: str, name: str, out: Path, parameters: dict[str, Any] | None = None, root: Path = ROOT
) -> Path:
    """Draw one figure into a file.

    Args:
        chapter: its number or its stem.
        name: of the figure.
        out: the file, which ends in .png, .svg or .pdf. A slider gives its first frame, as PNG.
        parameters: that replace the chapter's own.
        root: the repository.

    Returns:
        `out`.

    Raises:
        ValueError: for a chapter, a figure, a parameter or a kind of file that there is not, naming
            those there are.
    """
    source = find(chapter, root)
    cells = {cell.name: cell for cell in figure_cells(source)}
    if name not in cells:
        raise ValueError(f"no figure {name!r} in {source.stem}; there are: {', '.join(cells)}")
    if out.suffix not in SUFFIXES:
        raise ValueError(f"{out.name}; allowed: a file that ends in {', '.join(SUFFIXES)}")
    code = [cell.source for cell in _code_cells(source)]
    needed = cells_needed(code, cells[name].place)
    import matplotlib.pyplot as plt

    namespace: dict[str, Any] = {"__name__": "__main__"}
    result = None
    for place in needed:
        plt.close("all")  # what an earlier cell drew is not the figure that is asked for
        result = _run(code[place], namespace, source)
        if place == 0:
            namespace.update(parameters or {})
    _write(result, namespace, out)
    return out


def cells_needed(code: list[str], place: int) -> list[int]:
    """Which cells one cell needs, in their order, itself among them.

    The first two, parameters and imports, always belong to them. Another does if it sets a name
    that is read by one that belongs, or changes what such a name holds (`a[i] = …`, `a.append(…)`).

    Args:
        code: the source of each cell.
        place: of the one.
    """
    cells = [_names(cell) for cell in code]
    imported = {name for cell in cells for name in cell.imported}
    needed, wanted = [place], cells[place].read - imported
    for earlier in range(place - 1, -1, -1):
        cell = cells[earlier]
        if earlier < 2 or cell.touched & wanted:
            needed.insert(0, earlier)
            # What this cell sets, no cell before it need set.
            wanted = wanted - cell.own | (cell.read - imported)
    return needed


class _Names(NamedTuple):
    """Names of a cell: that it imports, sets or changes, reads from before, and sets for sure."""

    imported: frozenset[str]
    touched: frozenset[str]
    read: frozenset[str]
    own: frozenset[str]


@cache  # a cell is asked for once for each figure of its chapter
def _names(code: str) -> _Names:
    tree, own = ast.parse(code), set[str]()
    imported = {name for node in ast.walk(tree) for name in _imports(node)}
    read = _reads(tree.body, own)
    return _Names(*map(frozenset, (imported, _stored(tree) | _changed(tree), read, own)))


def _reads(body: list[ast.stmt], own: set[str]) -> set[str]:
    """The names that statements read from what was there before; `own` grows by what they set."""
    found: set[str] = set()
    for statement in body:
        fields = [value for _, value in ast.iter_fields(statement)]
        blocks = [one for one in fields if isinstance(one, list) and _are_statements(one)]
        heads = [one for one in ast.iter_child_nodes(statement) if not isinstance(one, ast.stmt)]
        for part in heads if blocks else [statement]:
            found |= _free(part) - own
        for part in heads if blocks else [statement]:
            own |= _stored(part)
        for block in blocks:
            found |= _reads(block, set(own))  # a block may not run: what it sets may not be set
    return found - set(dir(builtins))


def _are_statements(nodes: list[Any]) -> bool:
    return bool(nodes) and isinstance(nodes[0], ast.stmt)


def _bound(node: ast.AST) -> set[str]:
    """The names that are a comprehension's or a lambda's own."""
    if isinstance(node, ast.Lambda):
        return {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
    generators = getattr(node, "generators", [])
    return {name for one in generators for name in _stored(one.target)}


def _free(node: ast.AST) -> set[str]:
    """The names whose values a piece of code takes from around it."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    found: set[str] = set().union(*map(_free, ast.iter_child_nodes(node)))
    if isinstance(node, ast.AugAssign):
        found |= _stored(node.target)
    return found - _bound(node)


def _stored(node: ast.AST) -> set[str]:
    """The names that a piece of code binds."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    return set().union(*map(_stored, ast.iter_child_nodes(node))) - _bound(node)


def _changed(tree: ast.AST) -> set[str]:
    """The names whose values a cell changes in place, so far as one can see that."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found |= {root.id for root in ast.walk(node.value) if isinstance(root, ast.Name)}
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                found.add(called.value.id)
    return found


def _imports(node: ast.AST) -> set[str]:
    """The names that an import binds; what a cell does to a module concerns no other cell."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return set()
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def _code_cells(source: Path) -> list[Any]:
    import jupytext

    return [
        cell for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "code"
    ]


def _run(code: str, namespace: dict[str, Any], source: Path) -> Any:
    """Run a cell; the value of its last line, if that is an expression, as a notebook shows it."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, source, "exec"), namespace)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), source, "eval"), namespace)


def _write(result: Any, namespace: dict[str, Any], out: Path) -> None:
    import matplotlib.pyplot as plt

    out.parent.mkdir(parents=True, exist_ok=True)
    if plt.get_fignums():
        plt.figure(plt.get_fignums()[-1]).savefig(out)
        plt.close("all")
        return
    if result is None:
        raise ValueError(f"{out.name}: with these parameters there is nothing to draw")
    if out.suffix != ".png":
        raise ValueError(
            f"{out.name}; a slider's frame is a picture: allowed is a file that ends in .png"
        )
    out.write_bytes(result.first_frame)
