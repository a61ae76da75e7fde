"""Figures are tested by matplotlib's own settings, whatever another test has set, and closed."""

import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def plain_settings():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
        plt.close("all")
