"""Figures are tested by matplotlib's own settings, whatever another test has set."""

import matplotlib
import pytest


@pytest.fixture(autouse=True)
def plain_settings():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
