"""Figures are tested by matplotlib's own settings, whatever another test has set, and closed; lines by label."""

import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def plain_settings():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
        plt.close("all")


@pytest.fixture
def labelled():
    """labelled(axis): its lines that have a label, by that."""

    def find(axis):
        lines = {line.get_label(): line for line in axis.lines}
        return {label: line for label, line in lines.items() if not label.startswith("_")}

    return find
