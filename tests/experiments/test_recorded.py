"""A chapter's experiments: all of them named, and told what the missing ones cost."""

import re
from dataclasses import replace

import jupytext
import numpy as np
import pytest

from localbias import store
from localbias.book import chapters
from localbias.experiments import beyond, catalogue, engine, modes, recorded, recursion, samples
from localbias.experiments.recorded import CHAPTERS, SAMPLED, SEEDS, Recorded, expected_seconds
from localbias.experiments.samples import Samples

SOURCES = {int(source.name[:2]): source for source in chapters.sources() if source.name[0] == "0"}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Records in a folder of the test's own."""
    monkeypatch.setattr(engine, "records_of", lambda tier: tmp_path)
    return tmp_path


def test_the_book_has_all_its_records(capsys):
    for chapter in CHAPTERS:
        assert Recorded(chapter).missing == []
    assert capsys.readouterr().out == ""


def test_the_book_has_all_its_chains():
    chained = (
        (catalogue.chain, catalogue.CHAINED),
        (catalogue.digit_chain, catalogue.DIGITS_CHAINED),
    )
    for make, counts in chained:
        for treatment, count in counts.items():
            for seed in range(count):
                stem = make(treatment, "laptop", seed).stem
                assert store.find(stem, recursion.stem_of, recursion.CHAINS), stem


def test_the_book_has_the_samples_of_its_kept_networks():
    for name in SAMPLED:
        one = Samples.ancestral(catalogue.make(name))
        found = store.find(one.stem, samples.stem_of, samples.path_of(one).parent)
        network = samples.network_of(one)
        assert found.origin["weights_sha256"] == network.origin["files"][network.weights.name]
        assert found.arrays["counts"].sum() == len(found.arrays["tokens"]) == one.sampling.samples
    stems = [
        {path.stem for path in samples.path_of(one).parent.glob(f"*{suffix}")}
        for suffix in (".json", ".npz")
    ]
    assert stems[0] == stems[1]  # no arrays without an origin


def test_a_kept_network_is_compared_by_sampler_with_itself(elsewhere, monkeypatch, capsys):
    """Seed 0 alone keeps weights; where none are kept the counts are those of all seeds."""
    name = SAMPLED[0]
    made, last = catalogue.make, catalogue.make(name, "smoke").measure_at[-1]

    def keeping(name, tier="laptop", seed=0, **changes):
        return made(name, tier, seed, **changes).replace(keep=(last,) if seed == 0 else ())

    monkeypatch.setattr(recorded, "CHAPTERS", {9: (name, "dyck-8-unet")})
    monkeypatch.setattr(catalogue, "tier_for", lambda name, tier: "smoke")
    monkeypatch.setitem(SEEDS, name, 2)
    monkeypatch.setitem(SEEDS, "dyck-8-unet", 2)
    plain = Recorded(9, "smoke", device="cpu")
    with_also = plain.by_sampler("dyck-8-unet")
    assert [len(counts) for counts in with_also.values()] == [2, 2]
    assert [len(counts) for counts in plain.by_sampler(name).values()] == [2]

    monkeypatch.setattr(catalogue, "make", keeping)
    quick = Samples.ancestral
    monkeypatch.setattr(Samples, "ancestral", lambda one: quick(one, steps=5))
    kept = Recorded(9, "smoke", device="cpu")
    assert "1 of the drawings of samples is to run" in capsys.readouterr().out
    usual, drawn = kept.by_sampler(name).items()
    np.testing.assert_array_equal(usual[1], kept(name).counts[:1, -1])
    assert drawn[0].eta == 1 and drawn[0].steps == 5 and drawn[1].shape == (1, 4)
    assert len(list((elsewhere / "samples").glob("*.json"))) == 1
    assert not kept.undrawn
    assert len(Recorded(9, "smoke", seed=1, device="cpu").by_sampler(name)) == 1


def test_chains_are_stacked_by_treatment(elsewhere):
    found = recorded.chains("smoke", device="cpu")
    assert set(found) == set(recursion.TREATMENTS)
    assert found["filter"]["bad"].shape == (1, 3) and found["none"]["width"].shape == (1, 3)
    assert len(list((elsewhere / "chains").glob("*.json"))) == 5


def test_chains_of_digits_have_pictures_and_distances(elsewhere):
    found = recorded.digit_chains("smoke", device="cpu")["filter"]
    assert found["pictures"].shape == (1, 3, 100, 1, 14, 14)
    # Digits that the reader was trained on are read; what has hardly been trained is far from any.
    assert (
        found["bad"][0, 0] < 0.02 and (found["distance"][0, 1:] > 5 * found["distance"][0, 0]).all()
    )


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_asks_for_what_it_was_told_and_for_all_of_it(chapter):
    """Names with a field in braces stand for several: each of these must be met."""
    code = "\n".join(
        cell.source
        for cell in jupytext.read(SOURCES[chapter], fmt="py:percent").cells
        if cell.cell_type == "code"
    )
    asked = re.findall(r'recorded\(\s*f?"([^"]+)"', code)
    patterns = [re.sub(r"\\{[^}]*\\}", ".+", re.escape(name)) for name in asked]
    assert patterns
    loops = "recorded(name)" in code or "recorded(base)" in code
    compared = {"modes.LINE": modes.LINE, "modes.PLANE": modes.PLANE}  # by a name of the package
    compared |= {"modes.STEPS": {"steps": modes.STEPS}}
    compared |= {"beyond.TREATMENTS": beyond.TREATMENTS}
    compared |= {"beyond.COUNTS": {"parity": beyond.COUNTS}}
    alike = {name: name for name in beyond.NESTED if name.endswith(f"-n{beyond.ALIKE}")}
    compared |= {"in beyond.NESTED": {"dyck": alike}}
    named = [by for place, table in compared.items() if place in code for by in table.values()]
    in_tables = {name for by in named for name in by.values()}
    for name in CHAPTERS[chapter]:
        met = any(re.fullmatch(pattern, name) for pattern in patterns)
        looped = loops and (f'"{name}"' in code or name in in_tables)
        assert met or looped or name in catalogue.UNSAID, name


def test_missing_trainings_are_told_with_what_they_cost(capsys):
    """A seed that has no record takes as long as the others of its name."""
    told = Recorded(1, seed=3)
    assert {one.name for one in told.missing} == set(CHAPTERS[1])
    (line,) = capsys.readouterr().out.splitlines()
    seconds = 0.0
    for name in CHAPTERS[1]:
        found = store.timed(catalogue.found(name, "laptop", range(3)))
        seconds += sum(record.seconds for record in found) / len(found)
    assert line.startswith(
        f"{len(CHAPTERS[1])} trainings are to run, without a record yet: together they take about "
    )
    number, unit = line.split()[-2:]
    assert float(number) == pytest.approx(seconds / {"hours": 3600, "minutes": 60}[unit], rel=0.05)


def test_what_has_no_record_of_its_kind_is_told_too(elsewhere, capsys):
    Recorded(1, tier="smoke")
    assert "yet: no record tells how long" in capsys.readouterr().out


def test_a_step_costs_what_it_costs_with_the_same_network(elsewhere):
    small = catalogue.make("parity-8-scalars", "smoke")
    done = engine.run(small, "cpu", folder=elsewhere, runs=elsewhere)
    changes = dict(name="another", measure_at=(500,), keep=())
    longer = small.replace(training=replace(small.training, steps=500), **changes)
    expected = pytest.approx(done.seconds / small.training.steps * 500)
    assert expected_seconds([longer]) == [expected]
    larger = longer.replace(training=replace(longer.training, batch=longer.training.batch + 1))
    wider = longer.replace(network=longer.network | {"width": 9})
    assert expected_seconds([larger, wider, small]) == [None, None, pytest.approx(done.seconds)]


def test_results_are_trained_once_and_kept(elsewhere, monkeypatch):
    monkeypatch.setitem(CHAPTERS, 9, ("parity-8-scalars",))
    runs = []

    def run(name, tier, seed, device):
        runs.append((name, tier, seed))
        return engine.run(catalogue.make(name, tier, seed), device, runs=elsewhere)

    monkeypatch.setattr(recorded.catalogue, "run", run)
    found = Recorded(9, "smoke", device="cpu")
    assert found("parity-8-scalars") is found("parity-8-scalars")
    assert runs == [("parity-8-scalars", "smoke", seed) for seed in (0, 1, 2)]
    assert Recorded(9, "smoke").missing == []
    assert Recorded(9, "smoke", seed=7).seeds("parity-8-scalars") == (7,)


def test_what_a_chapter_was_not_told_is_refused():
    with pytest.raises(ValueError, match="'dyck-8-dit' is no experiment of this chapter.*parity-8"):
        Recorded(1)("dyck-8-dit")
    with pytest.raises(ValueError, match="device='gpu'"):
        Recorded(1, device="gpu")
    with pytest.raises(ValueError, match="chapter=7 has no experiments; these have: 1, 2, 4, 5, 6"):
        Recorded(7)


def test_seeds_are_those_that_the_book_has():
    assert set(SEEDS) <= set(catalogue.EXPERIMENTS)
    found = Recorded(4)
    assert [len(found.seeds(name)) for name in ("check-2-dit", "words-dit-30")] == [5, 3]
