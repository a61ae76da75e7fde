import hashlib
from types import SimpleNamespace

import nbformat
import papermill
import pytest

from localbias.book import chapters

CHAPTER = """\
# %% [markdown]
# # A chapter

# %% tags=["parameters"]
seed = 3

# %%
import os
from pathlib import Path
from tqdm import tqdm

for _ in tqdm(range(2)):
    pass
with open(os.environ["LOCALBIAS_READS"], "a") as file:
    file.write("one run.json\\n")
print(seed, Path.cwd().name)
"""


@pytest.fixture
def root(tmp_path):
    """A repository with one chapter that has never been executed, and one record that it reads."""
    for folder in ("notebooks", "records"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks/01_toy.py").write_text(CHAPTER)
    (tmp_path / "records/one run.json").write_text("{}")
    return tmp_path


@pytest.fixture
def stamped(root):
    """The same with a notebook as `refresh` would leave it, made without running anything."""
    source = root / "notebooks/01_toy.py"
    nb = nbformat.v4.new_notebook()
    nb.metadata["localbias"] = {
        "source": hashlib.sha256(source.read_bytes()).hexdigest(),
        "records": {"one run.json": hashlib.sha256(b"{}").hexdigest()},
    }
    nb.cells = [nbformat.v4.new_code_cell(metadata={"localbias": {"records": ["one run.json"]}})]
    path = chapters.notebook(source, root)
    path.parent.mkdir(parents=True)
    nbformat.write(nb, path)
    return root


def test_refresh_executes_stamps_and_then_has_nothing_to_do(root):
    assert chapters.stale(root) == [("01_toy", "it was never executed")]
    assert chapters.refresh(root=root) == ["01_toy"]
    path = root / "book/notebooks/01_toy.ipynb"
    written = path.read_bytes()
    nb = nbformat.read(path, as_version=4)

    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert code[0].metadata == {"tags": ["parameters"]}
    assert code[1].metadata == {"localbias": {"records": ["one run.json"]}}  # the cell that read it
    assert [out.text for out in code[1].outputs] == ["3 notebooks\n"]  # no bar; nbval's folder
    assert nb.metadata.kernelspec.name == "python3"
    assert nb.metadata.localbias == {
        "source": hashlib.sha256(CHAPTER.encode()).hexdigest(),
        "records": {"one run.json": hashlib.sha256(b"{}").hexdigest()},
    }
    assert chapters.stale(root) == []
    assert chapters.refresh(root=root) == []
    assert path.read_bytes() == written

    # Forced, it runs again and writes the same bytes: a refresh is no diff.
    assert chapters.refresh(["notebooks/01_toy.py"], force=True, root=root) == ["01_toy"]
    assert path.read_bytes() == written
    assert [file.name for file in path.parent.iterdir()] == ["01_toy.ipynb"]


def test_a_chapter_that_fails_leaves_the_old_notebook(stamped):
    path = stamped / "book/notebooks/01_toy.ipynb"
    old = path.read_bytes()
    (stamped / "notebooks/01_toy.py").write_text(CHAPTER + "\n# %%\n1 / 0\n")
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        chapters.refresh(root=stamped)
    assert path.read_bytes() == old
    assert [file.name for file in path.parent.iterdir()] == ["01_toy.ipynb"]
    assert chapters.stale(stamped) == [("01_toy", "its source changed")]


@pytest.mark.parametrize(
    "damage, reason",
    [
        (
            lambda root: (root / "records/one run.json").write_text("{ }"),
            "record one run.json changed",
        ),
        (lambda root: (root / "records/one run.json").unlink(), "record one run.json is gone"),
        (
            lambda root: (root / "book/notebooks/01_toy.ipynb").write_text("<<<<<<< HEAD"),
            "its notebook has no stamp that can be read",
        ),
        (
            lambda root: (root / "book/notebooks/01_toy.ipynb").write_text(
                '{"cells": [], "metadata": {}}'
            ),
            "its notebook has no stamp that can be read",
        ),
        (
            lambda root: _forget_cells(root / "book/notebooks/01_toy.ipynb"),
            "its notebook does not say which cells read its records",
        ),
    ],
)
def test_what_makes_a_chapter_stale(stamped, damage, reason):
    assert chapters.stale(stamped) == []
    damage(stamped)
    assert chapters.stale(stamped) == [("01_toy", reason)]


def _forget_cells(path):
    nb = nbformat.read(path, as_version=4)
    nb.cells = []
    nbformat.write(nb, path)


def test_refresh_of_an_unknown_chapter_names_the_known(root):
    with pytest.raises(ValueError, match="no chapter '02_toy'; there are: 01_toy"):
        chapters.refresh(["02_toy"], root=root)


ALLOWED = dict(
    tier=("smoke", "laptop"), seed=range(10), rate=float, device=str, levels=list, ema=bool
)
GOOD = dict(tier="smoke", seed=3, rate=1e-3, device="cpu", levels=[0.1, 0.9], ema=True)


def test_good_parameters_pass_beside_all_that_a_kernel_holds():
    kernel = {
        "In": ["..."],
        "Out": {},
        "_": 4,
        "__name__": "__main__",
        "_i1": "seed = 3",
        "hashlib": hashlib,
        "get_ipython": print,
        "TIERS": ("smoke",),
        "exit": object(),
        "parameters": chapters.parameters,
    }
    chapters.parameters(GOOD | kernel, **ALLOWED)
    chapters.parameters(GOOD | {"rate": 1}, **ALLOWED)  # as `-p rate 1` is read


def test_cells_may_run_again_in_one_kernel():
    """The second time, what the chapter has made in between is its own."""
    kernel = dict(GOOD)
    chapters.parameters(kernel, **ALLOWED)
    kernel["chance"] = 0.25
    chapters.parameters(kernel, **ALLOWED)
    kernel["seed"] = 11  # changed by hand between the two
    with pytest.raises(ValueError, match="seed = 11"):
        chapters.parameters(kernel, **ALLOWED)


def test_what_startup_files_made_is_no_parameter():
    shell = SimpleNamespace(user_ns_hidden={"mine": 1})
    chapters.parameters(GOOD | {"mine": 1, "get_ipython": lambda: shell}, **ALLOWED)
    with pytest.raises(ValueError, match="unknown parameter mine"):
        chapters.parameters(GOOD | {"mine": 1}, **ALLOWED)


@pytest.mark.parametrize(
    "name, value", [("sed", 3), ("tires", "smoke"), ("note", None), ("more", [1])]
)
def test_an_unknown_parameter_is_named(name, value):
    with pytest.raises(
        ValueError, match=f"unknown parameter {name} = .*; there are: tier, seed, rate"
    ):
        chapters.parameters(GOOD | {name: value}, **ALLOWED)


@pytest.mark.parametrize(
    "name, value, allowed",
    [
        ("tier", "papr", "one of 'smoke', 'laptop'"),
        ("tier", 1, "one of 'smoke', 'laptop'"),
        ("seed", 10, "an int from 0 to 9"),
        ("seed", -1, "an int from 0 to 9"),
        ("seed", 3.0, "an int from 0 to 9"),
        ("seed", "three", "an int from 0 to 9"),
        ("seed", True, "an int from 0 to 9"),
        ("seed", "3", "an int from 0 to 9"),
        ("rate", "fast", "any float"),
        ("rate", True, "any float"),
        ("device", 0, "any str"),
        ("levels", 0.1, "any list"),
        ("ema", 1, "any bool"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name, value, allowed):
    with pytest.raises(ValueError) as error:
        chapters.parameters(GOOD | {name: value}, **ALLOWED)
    assert str(error.value) == f"parameter {name} = {value!r}; it may be {allowed}"


def test_a_missing_parameter_is_named():
    with pytest.raises(ValueError, match="parameter seed is missing; it may be an int from 0 to 9"):
        chapters.parameters(
            {name: value for name, value in GOOD.items() if name != "seed"}, **ALLOWED
        )


@pytest.mark.parametrize(
    "text, bar",
    [("50%\r60%", True), ("\n", True), ("\x1b[A\x1b[A", True), ("UserWarning: no\n", False)],
)
def test_a_bar_redraws_its_line_or_moves_the_cursor_and_no_more(text, bar):
    output = nbformat.v4.new_output("stream", name="stderr", text=text)
    assert chapters._is_progress(output) is bar
