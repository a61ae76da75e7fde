"""Records of the smoke tier in a folder of a module's own."""

import pytest

from localbias.experiments import catalogue, engine


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """run(name, seed, ...): the record of an experiment of the catalogue, with fields changed."""
    folder = tmp_path_factory.mktemp("experiments")

    def recorded(name, seed=0, **changes):
        made = catalogue.make(name, "smoke", seed, **changes)
        return engine.run(made, "cpu", folder=folder / "records", runs=folder / "runs")

    return recorded
