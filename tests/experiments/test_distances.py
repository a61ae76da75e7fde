"""The distance of each sample's x̂0 from the exact denoisers, by weights that were kept."""

import numpy as np
import pytest

from localbias.exact import NAMES
from localbias.experiments import Results, catalogue, distances, engine, filters
from localbias.experiments.distances import distances as measured


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A watched board whose weights were kept at one of two steps."""
    folder = tmp_path_factory.mktemp("records")
    one = catalogue.make("board-13", "smoke").replace(keep=(10,), also=())
    return Results([engine.run(one, "cpu", folder=folder, runs=folder / "runs")])


def test_the_exact_rule_has_no_distance_from_itself(results, monkeypatch):
    rule = results.setup.references["rule"]
    monkeypatch.setattr(distances, "load_network", lambda record, step: rule)
    found = measured(results, (0.5, 0.9))
    assert len(found) == 2 * len(NAMES)
    for level in (0.5, 0.9):
        np.testing.assert_allclose(found[f"distance to rule at {level:g}"][0, 0], 0, atol=1e-10)
        assert (found[f"distance to marginals at {level:g}"][0, 0] > 0).any()


def test_distances_are_those_of_the_samples_that_were_counted(results):
    """Late enough, x̂0 of the exact denoisers lies in the mode that is nearest to the sample."""
    found = measured(results, (0.5,))["distance to rule at 0.5"]
    assert found.shape == (1, 2, 32) and np.isfinite(found[0, 0]).all()
    assert np.isnan(found[0, 1]).all()  # no weights were kept there
    for kind in filters.GROUPS:
        areas = filters.areas(results, found, kind)
        assert areas[1] == [None]


def test_only_weights_of_the_same_training_serve(results, tmp_path):
    other = results.experiment.replace(
        keep=(20,), network=results.experiment.network | {"width": 8}
    )
    record = engine.run(other, "cpu", folder=tmp_path, runs=tmp_path / "runs")
    with pytest.raises(ValueError, match="is another training than 'board-13'"):
        measured(results, (0.5,), Results([record]))
    seed = engine.run(other.replace(seed=1), "cpu", folder=tmp_path, runs=tmp_path / "runs")
    found = measured(results, (0.5,), Results([seed]))
    assert all(np.isnan(values).all() for values in found.values())
