"""What pytest does with the committed chapters, which `pytest --nbval` executes again."""

import os

# For this process and the chapters' kernels. The networks here are small: more threads gain nothing, and on cores that
# something else uses too they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "agg"  # no window is opened, whatever the machine


def pytest_collection_modifyitems(items):
    # Progress bars go to stderr. They differ from run to run and are no fact of a chapter.
    for item in items:
        if hasattr(item.parent, "skip_compare") and "stderr" not in item.parent.skip_compare:
            item.parent.skip_compare += ("stderr",)
