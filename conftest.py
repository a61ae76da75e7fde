"""What pytest does with the committed chapters, which `pytest --nbval` executes again."""

import os

import matplotlib

# For this process and the chapters' kernels. The networks here are small: more threads gain
# nothing, and on cores that something else uses too they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
matplotlib.use("agg")  # in this process; the chapters' kernels show their figures inline


def pytest_collection_modifyitems(items):
    for item in items:
        # Progress bars go to stderr. They differ from run to run and are no fact of a chapter.
        skipped = getattr(item.parent, "skip_compare", None)
        if skipped is not None and "stderr" not in skipped:
            item.parent.skip_compare += ("stderr",)
