"""Recent models from end to end, with tiny pipelines of random weights and of known answer."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr

pytest.importorskip("transformers", reason="transformers is not installed: pip install '.[models]'")
from localbias.experiments import pretrained, recent
from localbias.reading import tesseract

SEEDS = (0, 1)
WORDS = ("people", "language", "peoqle", "languoge", "xyzzyx")


@pytest.fixture(params=pretrained.MODELS)
def model(request):
    tiny = pretrained.smoke(pretrained.MODELS[request.param])
    return replace(tiny, settings=replace(tiny.settings, steps=3, levels=(0.5,)))


@pytest.fixture
def read(monkeypatch):
    """Words in place of those that nobody can read in random pictures: another number in each."""
    counts = iter(range(1, 100))

    def words(picture):
        return [(word, 90.0) for word in WORDS[: 1 + next(counts) % len(WORDS)]]

    monkeypatch.setattr(tesseract, "words", words)


def album_of(model, folder):
    return recent.Album(folder, model.name, model.settings, model.weights)


def drawn(model, folder, pipeline=None, prompts=recent.PROMPTS, seeds=SEEDS):
    made = pipeline or (lambda: pretrained.tiny_pipeline(model))
    return list(recent.draw(album_of(model, folder), prompts, seeds, made))


def refuse():
    raise AssertionError("a pipeline was asked for")


def test_pictures_are_drawn_read_probed_and_ranked(model, tmp_path, read):
    pictures = drawn(model, tmp_path)
    assert [(one["prompt"], one["seed"]) for one in pictures] == [
        (prompt, seed) for prompt in recent.PROMPTS for seed in SEEDS
    ]
    folder = tmp_path / model.name
    for one in pictures:
        with Image.open(folder / one["file"]) as picture:
            assert picture.size == (64, 64)
        (level,) = one["levels"]
        assert 0 < level["x0"]["ratio"] <= 1.01 and level["sigma"] > 0
        assert one["chance"] == 32 / 256 and one["origin"]["libraries"]["transformers"]
    assert len({(folder / one["file"]).read_bytes() for one in pictures}) == len(pictures)
    stored = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
    assert stored["pictures"] == json.loads(json.dumps(pictures))

    x = [recent.ratios(one)[recent.MEAN] for one in pictures]
    y = [wrong / words for words, wrong in map(recent.spelling, pictures)]
    found = recent.correlations(pictures)[recent.MEAN]
    assert found.value == pytest.approx(spearmanr(x, y).statistic) and found.n == len(pictures)
    assert -1 <= found.low <= found.high <= 1


def test_what_is_there_is_not_drawn_again(model, tmp_path, read):
    prompts = recent.PROMPTS[:1]
    first = drawn(model, tmp_path, prompts=prompts)
    assert json.dumps(drawn(model, tmp_path, refuse, prompts)) == json.dumps(first)
    lost = tmp_path / model.name / first[1]["file"]
    before = lost.read_bytes()
    lost.unlink()
    again = drawn(model, tmp_path, prompts=prompts)
    assert lost.read_bytes() == before and again[0] == first[0]
    assert again[1]["levels"] == first[1]["levels"]  # vectors and noise come from prompt and seed
    other = replace(model, settings=replace(model.settings, probes=5))
    with pytest.raises(ValueError, match=r"pictures of probes=4, not 5; name another folder"):
        album_of(other, tmp_path)
    with pytest.raises(ValueError, match="pictures of weights='random', not 'mine'"):
        recent.Album(tmp_path, model.name, model.settings, "mine")
    (tmp_path / model.name / "pictures.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="is no album of pictures"):
        album_of(model, tmp_path)


def of_known_answer(model, velocity):
    """A pipeline whose transformer is replaced by a function of the latents."""

    def made():
        pipeline = pretrained.tiny_pipeline(model)
        pipeline.transformer.forward = lambda hidden_states, **_: (velocity(hidden_states),)
        return pipeline

    return made


def test_pipelines_of_known_answer(model, tmp_path, read):
    """Velocities of the own place, and of the mean of everything, through the whole way."""
    few = dict(prompts=recent.PROMPTS[:1], seeds=(0,))
    (local,) = drawn(model, tmp_path / "local", of_known_answer(model, torch.sin), **few)
    assert recent.ratios(local)[recent.MEAN] == pytest.approx(1, abs=1e-4)

    def mean(x):
        return x.flatten(1).mean(1).view(-1, *[1] * (x.ndim - 1)).expand_as(x)

    exact = replace(model, settings=replace(model.settings, probes=10**6))
    (spread,) = drawn(exact, tmp_path / "mean", of_known_answer(exact, mean), **few)
    (level,) = spread["levels"]
    d, s = 256, level["sigma"]
    r = spread["chance"] * d
    expected = (1 - 2 * s / d + s**2 * r / d**2) / (1 - 2 * s / d + s**2 / d)
    assert level["x0"]["ratio"] == pytest.approx(expected, abs=1e-5)
    assert level["velocity"]["ratio"] == pytest.approx(r / d, abs=1e-5)


def entry(words, ratio=0.5, prompt="a", sure=90.0):
    level = {"signal": 0.5, "x0": {"ratio": ratio}}
    return {"words": [(word, sure) for word in words], "levels": [level], "prompt": prompt}


def test_words_are_counted_that_are_long_sure_and_of_letters():
    shown = ["Theory", "of", "nature", "blarkboard", "mc2", "E=mc2", "14.5", "it's"]
    assert recent.spelling(entry(shown)) == (3, 1)
    assert recent.spelling(entry(shown, sure=20.0)) == (0, 0)


def test_what_has_no_word_or_no_ratio_is_left_out_and_few_pictures_tell_nothing():
    shown = [["people"], ["peoqle"], ["people", "peoqle"], ["peoqle"], ["languoge", "people"]]
    pictures = [entry(words, ratio) for words, ratio in zip(shown, (0.1, 0.5, 0.2, 0.6, 0.3))]
    whole = recent.correlations(pictures)
    assert whole == recent.correlations([*pictures, entry([]), entry(["peoqle"], None)])
    assert whole["0.50"] == whole[recent.MEAN] and whole["0.50"].n == 5
    assert recent.correlations(pictures[:3]) == {"0.50": None, recent.MEAN: None}
    assert recent.correlations([entry([])]) == {"0.50": None, recent.MEAN: None}


def test_prompts_alone_make_no_correlation_within_prompts():
    """One prompt is misspelt and local, another is neither; within each the two are unrelated."""
    bad, good = ["peoqle"], ["people"]
    mixed = [bad * 2 + good, bad + good, bad + good, bad * 2 + good]
    pictures = [entry(words, 0.9 + n / 100, "a") for n, words in enumerate(mixed)]
    rare = [good * 9 + bad, good * 8 + bad, good * 8 + bad, good * 9 + bad]
    pictures += [entry(words, 0.1 + n / 100, "b") for n, words in enumerate(rare)]
    assert recent.correlations(pictures)[recent.MEAN].value > 0.7
    within = recent.correlations(pictures, within=True)[recent.MEAN]
    assert within.value == pytest.approx(0) and within.n == 8


def test_prompts_that_are_written_alike_have_files_of_their_own():
    names = {
        recent._file(prompt, 0) for prompt in ("a b", "a, b", "a-b", "A B", "a" * 70, "a" * 80)
    }
    assert len(names) == 5 and "a-b-0.png" in names  # capitals alone make no other picture's name


def test_the_paper_is_taken_at_its_word():
    """A.6's prompts and seeds; the seeds are the command's, too."""
    assert recent.PROMPTS == (
        "A piece of calligraphy art",
        "A newspaper reporting news",
        "A blackboard with formulas",
    )
    assert recent.SEEDS == (0, 1, 2) and pretrained.LEVELS == (0.1, 0.3, 0.5, 0.7, 0.9)


def test_regions_are_pixels_or_shares():
    for model in pretrained.MODELS.values():
        assert model.settings.region == (384, 384, 640, 640), "the middle quarter of 1024 pixels"
    assert pretrained.box_of("8,16,24,32", 64) == (8, 16, 24, 32)
    assert pretrained.box_of("0,0,1,1", 64) == (0, 0, 64, 64)
    for wrong in ("1,2,3", "a,b,c,d", "8,8,8,16", "0,0,65,64", "-1,0,8,8"):
        with pytest.raises(ValueError, match="allowed: left,top,right,bottom"):
            pretrained.box_of(wrong, 64)


@pytest.mark.parametrize(
    "wrong",
    [{"size": 1000}, {"probes": 1}, {"levels": ()}, {"levels": (2.0,)}, {"steps": 0}, {"text": 0}],
)
def test_settings_out_of_range_are_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"settings\.{name}="):
        replace(pretrained.MODELS["flux.1-dev"].settings, **{name: value})


def test_arithmetic_is_counted_for_the_published_sizes():
    """FLUX.1-dev has 12 billion parameters, SD 3.5-medium's transformer 2.2 (2.5 with its decoder)."""
    import diffusers

    sizes = {}
    for name, model in pretrained.MODELS.items():
        with torch.device("meta"):
            made = getattr(diffusers, model.transformer)(**model.architecture)
        sizes[name] = sum(weights.numel() for weights in made.parameters()) / 1e9
    assert sizes == {
        "sd-3.5-medium": pytest.approx(2.2, abs=0.1),
        "flux.1-dev": pytest.approx(12, abs=0.2),
    }
    small = {"num_layers": 2, "dual_attention_layers": (0,)}
    model = pretrained.MODELS["sd-3.5-medium"]
    model = replace(model, architecture=model.architecture | small)
    parameters, drawing, probing = pretrained.operations(model)
    once = drawing / (2 * model.settings.steps)
    tokens = 64**2  # about two operations a parameter and token, and attention, in each half
    assert 0.5 < once / (2 * parameters * tokens) < 2
    probed = probing / (2 * len(pretrained.LEVELS) * once)  # forward passes a level and half
    assert 1 + 8 * 1.8 < probed < 1 + 8 * 3
    flux = pretrained.MODELS["flux.1-dev"]
    flux = replace(flux, architecture=flux.architecture | {"num_layers": 1, "num_single_layers": 1})
    parameters, drawing, _ = pretrained.operations(flux)
    assert 0.5 < drawing / flux.settings.steps / (2 * parameters * (tokens + 512)) < 2


@pytest.mark.parametrize("name", pretrained.NEEDED)
def test_a_library_that_is_missing_is_named(name, monkeypatch):
    real = pretrained.find_spec
    monkeypatch.setattr(pretrained, "find_spec", lambda one: None if one == name else real(one))
    model = pretrained.MODELS["sd-3.5-medium"]
    for call in (pretrained.load, pretrained.tiny_pipeline):
        with pytest.raises(ImportError, match=rf"need {name}: pip install .*models\]"):
            call(model)


def test_weights_that_cannot_be_had_are_named_with_what_to_do(tmp_path, monkeypatch):
    import diffusers

    def gated(source, **_):
        raise OSError(f"401 Client Error. Cannot access gated repo for {source}.\nMore lines")

    model = pretrained.MODELS["flux.1-dev"]
    with pytest.raises(OSError, match=f"(?s)weights '{tmp_path}' cannot be had .*--weights names"):
        pretrained.load(model, str(tmp_path))
    monkeypatch.setattr(diffusers.FluxPipeline, "from_pretrained", gated)
    told = "FLUX.1-dev' cannot be had .401 Client Error.*accepted their licence.*hf auth login"
    with pytest.raises(OSError, match=told) as error:
        pretrained.load(model)
    assert "More lines" not in str(error.value)


def test_tiny_pipelines_are_of_their_seed_and_leave_the_generator_alone():
    state = torch.get_rng_state()
    model = pretrained.smoke(pretrained.MODELS["flux.1-dev"])
    weights = [
        torch.nn.utils.parameters_to_vector(
            pretrained.tiny_pipeline(model, seed).transformer.parameters()
        )
        for seed in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match="kind='other'; allowed: StableDiffusion3Pipeline"):
        pretrained.tiny.pipeline("other")
