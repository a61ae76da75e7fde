"""How pytest executes the committed chapters again (`pytest --nbval`), and what it begins with."""

import os

import matplotlib
import pytest

# For this process and the chapters' kernels. The networks here are small: more threads gain
# nothing, and on cores that something else uses too they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
matplotlib.use("agg")  # in this process; the chapters' kernels show their figures inline

# What takes longest comes first: begun last, one of these would keep a worker busy on its own. The
# first two wait for the built site, so something else stands between them.
SMOKE = "tests/book/test_smoke.py"
SLOW = (
    "tests/book/test_browser.py",
    "book/notebooks/",
    SMOKE,
    "tests/test_benchmarks.py",
    "tests/experiments/test_catalogue.py",
    "tests/book/test_page_sliders.py",
    "tests/book/test_site.py",
)


def place(nodeid):
    """Where a test stands in the order of files."""
    return next((n for n, name in enumerate(SLOW) if nodeid.startswith(name)), len(SLOW))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out whole files in their order; of the smoke runs, each as long as a file, every one."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Longest(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return nodeid if nodeid.startswith(SMOKE) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False  # by how many tests a file has, which says little
    return Longest(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: place(item.nodeid))
    for item in items:
        # Progress bars go to stderr. They differ from run to run and are no fact of a chapter.
        skipped = getattr(item.parent, "skip_compare", None)
        if skipped is not None and "stderr" not in skipped:
            item.parent.skip_compare += ("stderr",)
