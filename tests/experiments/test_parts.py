"""Parts of one's own: passed or registered, known by their content, and run to outcomes and locality."""

from functools import cached_property

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from localbias import grammar, networks, render, store
from localbias.exact import references
from localbias.experiments import Experiment, Results, Setup, engine, from_configuration, parts
from localbias.grammar import Grammar, Parity
from localbias.measure import Probing
from localbias.reading import reader
from localbias.registry import Registry
from localbias.render import Renderer, Scalars
from localbias.training import Training

SHORT = dict(n_train=3, training=Training(steps=4, batch=8), measure_at=(2, 4))
MLP = dict(kind="mlp", width=8, depth=1)


class Palindrome(Grammar):
    """Four parentheses that read the same from both ends."""

    alphabet, length = ("(", ")"), 4

    @cached_property
    def support(self):
        strings = torch.cartesian_prod(*[torch.arange(2)] * 4)
        return strings[(strings == strings.flip(-1)).all(-1)]


class Unfair(Palindrome):
    def weights(self, strings):
        weights = 1.0 + strings[:, 0].double()
        return weights / weights.sum()


class Dots(Renderer):
    """A string as the heights of dots on a line: nothing is left to chance, and there are no cells."""

    def __init__(self, length=4, height=1.0):
        self.length, self.symbols, self.shape, self.height = length, 2, (length, 1), height

    def draw(self, tokens, exemplars):
        return (self.height * (1 - 2 * tokens.float()))[..., None]

    def region(self, i):
        return (torch.arange(self.length) == i)[:, None]

    def content(self):
        return {"height": torch.tensor(self.height), "length": torch.tensor(self.length)}


reader.register(Dots)(lambda renderer: lambda signals: (signals[..., 0] < 0).long())


class Scale(nn.Module):
    """The least a network can be."""

    def __init__(self, shape, width=1):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(width, *shape))

    def forward(self, x, t):
        return x * self.scale.sum(0)


def experiment(name="mine", **changes):
    fields = dict(grammar=Palindrome(), renderer=Scalars(4), network=MLP) | SHORT | changes
    return Experiment(name, "laptop", 0, **fields)


@pytest.fixture
def forgotten(monkeypatch):
    """As in a new process: nothing was passed yet."""
    monkeypatch.setattr(parts, "_PASSED", {})


@pytest.fixture
def registered(monkeypatch):
    """Registers parts for one test."""
    for registry in (grammar.GRAMMARS, render.RENDERERS, networks.NETWORKS):
        monkeypatch.setattr(registry, "_makers", dict(registry._makers))
    return


@pytest.fixture
def folders(tmp_path):
    return dict(device="cpu", folder=tmp_path / "records", runs=tmp_path / "runs")


@pytest.mark.parametrize(
    "page, valid", [("a_rule_of_your_own", (150, 200)), ("a_network_of_your_own", (40, 130))]
)
def test_the_examples_of_the_book_go_from_class_to_ratio(page, valid, tmp_path, monkeypatch):
    """Their cells as they stand, with records in a folder of the test's own."""
    monkeypatch.setattr(store, "RUNS", tmp_path)
    monkeypatch.setattr(engine.run, "__defaults__", ("cpu", None, None, tmp_path / "runs"))
    with plt.rc_context({"backend": "agg"}):
        namespace = {"__name__": "__main__"}
        for cell in jupytext.read(store.ROOT / "notebooks" / f"{page}.py").cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)
        plt.close("all")
    results = namespace["results"]
    assert (results.counts.sum(-1) == 200).all()
    assert valid[0] <= results.counts[0, -1, 2:].sum() <= valid[1]
    ratios = results.ratios()[0, :, 1]
    alone = page == "a_network_of_your_own"  # it sees one symbol at a time
    assert (abs(ratios - 1) < 1e-4).all() if alone else 0 < ratios[-1] < ratios[0]
    assert results.records[0].path.parent == tmp_path / "mine"


def test_what_is_passed_enters_the_key_by_its_content():
    base = experiment()
    assert experiment(grammar=Palindrome()).key == base.key  # another object with the same content
    assert base.configuration["grammar"] == {
        "name": "Palindrome",
        "content": base.parts["grammar"]["content"],
    }
    others = [
        experiment(grammar=Unfair()),
        experiment(grammar=Parity(4)),
        experiment(renderer=Dots()),
        experiment(renderer=Dots(height=0.5)),
        experiment(network=Scale),
        experiment(network=dict(MLP, width=9)),
    ]
    keys = [one.key for one in (base, *others)]
    assert len(set(keys)) == len(keys)


def test_the_same_name_with_another_content_is_another_key():
    same_name = type("Palindrome", (Unfair,), {})
    assert (
        same_name.__name__ == "Palindrome"
        and experiment(grammar=same_name()).key != experiment().key
    )
    wider = type(
        "Scale", (Scale,), {"__init__": lambda self, shape: Scale.__init__(self, shape, 2)}
    )
    assert experiment(network=wider).key != experiment(network=Scale).key


def test_parts_of_the_package_have_the_key_of_their_name_and_options(forgotten):
    named = experiment(
        grammar=dict(name="parity", length=4), renderer=dict(name="scalars", length=4)
    )
    assert named.parts == {
        "grammar": dict(name="parity", length=4),
        "renderer": dict(name="scalars", length=4),
        "network": MLP,
    }
    assert not parts._PASSED


def test_a_record_is_found_again_and_read_in_a_process_that_passes_the_parts_again(
    folders, monkeypatch
):
    made = experiment(network=Scale, renderer=Dots(), probing=None)
    found = engine.run(made, **folders)
    assert found.experiment["renderer"]["name"] == "Dots" and found.arrays["tokens"].shape == (
        2,
        200,
        4,
    )

    monkeypatch.setattr(parts, "_PASSED", {})  # a new process
    assert from_configuration(found.experiment).key == made.key
    with pytest.raises(
        ValueError, match="grammar 'Palindrome' is not of this package: to build it, register"
    ):
        Setup(from_configuration(found.experiment))
    again = experiment(network=Scale, renderer=Dots(), probing=None)
    assert engine.find(again, folders["folder"]).path == found.path
    assert Results([found]).outcomes().shape == (2, 200)


def test_a_renderer_without_exact_denoisers_is_probed_without_them(folders):
    made = experiment(
        renderer=Dots(), probing=Probing((0.3, 0.8), samples=6, probes=2, closer=(0.8,))
    )
    found = engine.run(made, **folders)
    assert "reference_ldr" not in found.arrays and "excess" not in found.arrays
    assert found.arrays["ldr"].shape == (3, 2, 6, 3)
    ratios = Results([found]).ratios()
    assert ratios.shape == (1, 3, 2) and np.isfinite(ratios).all()
    assert references(Dots(), Palindrome(), made.schedule, Palindrome().support) == {}


def test_a_registered_name_is_kept_with_the_content_it_had(registered, forgotten):
    grammar.register("palindrome", Palindrome)
    networks.register("scale", Scale)
    made = experiment(grammar=dict(name="palindrome"), network=dict(kind="scale", width=3))
    assert made.parts["grammar"].keys() == {"name", "content"}
    assert made.parts["network"] | {"content": ""} == {"kind": "scale", "width": 3, "content": ""}
    assert isinstance(Setup(made).grammar, Palindrome) and Setup(
        made
    ).denoiser().network.scale.shape == (3, 4)
    again = from_configuration(made.configuration)
    assert again.key == made.key and isinstance(Setup(again).grammar, Palindrome)

    grammar.GRAMMARS._makers["palindrome"] = Unfair
    with pytest.raises(ValueError, match="grammar .*'palindrome'.* is another now"):
        Setup(again)


@pytest.mark.parametrize("kind", ["grammar", "renderer", "network"])
def test_what_is_unknown_is_named(kind):
    label = "kind" if kind == "network" else "name"
    known = dict(grammar="parity", renderer="scalars", network="mlp")[kind]
    with pytest.raises(ValueError, match=f"unknown {kind} 'such'; known: .*{known}"):
        Setup(experiment(**{kind: {label: "such"}})).denoiser()
    with pytest.raises(ValueError, match=f"{kind} .*; it must say '{label}', one of .*{known}"):
        Setup(experiment(**{kind: {"width": 3}})).denoiser()


def test_initial_weights_of_ones_own_network_come_from_the_seed():
    one, again = (Setup(experiment(network=Scale)).denoiser() for _ in range(2))
    other = Setup(experiment(network=Scale).replace(seed=1)).denoiser()
    assert torch.equal(one.network.scale, again.network.scale)
    assert not torch.equal(one.network.scale, other.network.scale)


def test_a_registry():
    numbers = Registry("number", {"one": lambda: 1})
    numbers.register("sum", lambda a, b=0: a + b)
    assert (
        numbers.make("sum", a=1, b=2) == 3 and list(numbers) == ["one", "sum"] and len(numbers) == 2
    )
    assert numbers.is_ours("one") and not numbers.is_ours("sum") and "two" not in numbers
    for arguments, message in (
        (dict(name="two"), "unknown number 'two'; known: one, sum"),
        (dict(name="sum", a=1, c=2), "unknown option c of number 'sum'; known: a, b"),
        (dict(name="one", a=1), "unknown option a of number 'one'; known: none"),
        (dict(name="sum"), "number 'sum': .*missing 1 required"),
        (dict(name="sum", a="x", b=1), "number 'sum': "),
    ):
        with pytest.raises(ValueError, match=message):
            numbers.make(**arguments)
    with pytest.raises(ValueError, match="there is a number 'one' already; allowed: another name"):
        numbers.register("one", lambda: 2)


def test_a_renderer_that_nobody_reads_is_named():
    members = {name: getattr(Dots, name) for name in ("__init__", "draw", "region", "content")}
    unread = type("Unread", (Renderer,), members)
    with pytest.raises(ValueError, match="no reader for a Unread; allowed: .*reader.register"):
        Setup(experiment(renderer=unread()))


def test_a_renderer_that_does_not_say_how_it_draws_cannot_be_made():
    incomplete = type("Incomplete", (Renderer,), {"region": lambda self, i: None})
    with pytest.raises(TypeError, match="content.*draw"):
        incomplete()
