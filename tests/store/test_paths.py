"""Where records lie: in the checkout that the package is part of, and in no other project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localbias.book import chapters
from localbias.store import CHECKOUT, RECORDS, ROOT
from localbias.store.paths import project_root

PACKAGE = Path(chapters.__file__).parents[1]


def test_the_package_knows_its_own_checkout():
    assert CHECKOUT and project_root(PACKAGE) == ROOT and RECORDS == ROOT / "records"


def test_another_project_around_the_package_is_not_its_own(tmp_path):
    """As `pip install --target` puts it: a pyproject.toml and records of someone else lie above."""
    package = tmp_path / "src" / "localbias"
    package.mkdir(parents=True)
    (tmp_path / "records").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\n', encoding="utf-8")
    assert project_root(package) is None
    (tmp_path / "pyproject.toml").unlink()
    assert project_root(package) is None


def test_outside_a_checkout_records_lie_where_one_works(tmp_path):
    """And there are no chapters, which is said."""
    (tmp_path / "other").mkdir()
    copied = tmp_path / "copied" / "localbias"
    copied.mkdir(parents=True)
    subprocess.run(["cp", "-R", f"{PACKAGE}/.", copied], check=True)
    code = (
        "from localbias.store import CHECKOUT, RECORDS\n"
        "print(CHECKOUT, RECORDS)\n"
        "from localbias.book import chapters\n"
        "chapters.refresh()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(copied.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "other",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["False", str(tmp_path / "other" / "records")]
    assert "FileNotFoundError: no chapters in" in done.stderr


def test_a_folder_without_chapters_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="they are in a checkout of the repository"):
        chapters.refresh(root=tmp_path)
