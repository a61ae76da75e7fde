import json
from hashlib import sha256
from math import erf, inf, nan, sqrt

import pytest
import torch

from localbias import assets, decode
from localbias.grammar import Parity, QuarterSum
from localbias.reader import examples, shipped_reader, spoil, train_reader
from localbias.render import Digits, Glyphs, Renderer, Scalars

SIDES = {14: 0.975, 28: 0.985}  # what the readers must read of the held-out digits


@pytest.fixture(scope="module", params=SIDES)
def side(request):
    return request.param


@pytest.fixture(scope="module")
def reader(side):
    """Reads single digits [n, 1, side, side] -> [n, 1]."""
    ten = Renderer(torch.zeros(10, 1, side, side), (1, 1))
    return decode.DigitReader(ten, *shipped_reader(side))


@pytest.mark.parametrize(
    "renderer", [Scalars(8), Glyphs((2, 4), (64, 64)), Glyphs((2, 4), (16, 32)), Glyphs((4, 4), (64, 64))], ids=repr
)
def test_templates_read_strings(renderer):
    strings, _ = Parity(renderer.length).split(128, seed=0)  # all of length 8
    assert torch.equal(decode.read(renderer, renderer(strings)), strings)


@pytest.mark.parametrize(
    "value, token",
    [(1, 0), (-1, 1), (0.5, 0), (-0.5, 1), (0.499, -1), (-0.499, -1), (0, -1), (2.499, 0), (2.501, -1), (-2.499, 1),
     (-2.501, -1), (nan, -1), (inf, -1), (-inf, -1)],
)
def test_bounds_of_scalars(value, token):
    signals = torch.tensor([[1.0, value, -1.0]])
    assert decode.read(Scalars(3), signals).tolist() == [[0, token, 1]]


def test_bounds_of_templates():
    renderer = Glyphs((1, 2), (16, 16))
    here, there = renderer.pool[:, 0].flatten(1)
    gap = (there - here).norm()
    aside = torch.randn(len(here), generator=torch.Generator().manual_seed(0))
    along = (there - here) / gap
    aside = torch.nn.functional.normalize(aside - (aside @ along) * along, dim=0)

    def token(cell, **bounds):
        return decode.Templates(renderer, **bounds)(renderer.join(torch.stack([cell, there])[None]))[0].tolist()

    assert token(here.lerp(there, 0.24)) == [0, 1]
    assert token(here.lerp(there, 0.26)) == [-1, 1]
    assert token(here.lerp(there, 0.74)) == [-1, 1]
    assert token(here.lerp(there, 0.76)) == [1, 1]
    assert token(here.lerp(there, 0.49), ambiguity=0.5) == [0, 1]
    assert token(here + 0.74 * gap * aside) == [0, 1]
    assert token(here + 0.76 * gap * aside) == [-1, 1]
    assert token(here + 0.76 * gap * aside, distance=0.8) == [0, 1]


def test_a_cell_is_held_against_every_other_template():
    # the second symbol is the nearer neighbour of the first, yet it is towards the third that this cell leans
    pool = torch.tensor([[0.0, 0.0], [0.0, 0.5], [1.0, 0.0]]).reshape(3, 1, 1, 2)
    cells = torch.tensor([[0.0, 0.0], [0.0, 0.2], [0.3, 0.0], [0.2, 0.0], [0.0, 0.48]])
    read = decode.Templates(Renderer(pool, (1, 1)))(cells.reshape(-1, 1, 1, 2))
    assert read[:, 0].tolist() == [0, -1, -1, 0, 1]


def test_templates_under_noise():
    generator = torch.Generator().manual_seed(0)
    renderer, strings = Glyphs((2, 4), (64, 64)), Parity(8).support
    signals = renderer(strings)
    noise = torch.randn(signals.shape, generator=generator)
    assert torch.equal(decode.read(renderer, signals + 0.4 * noise), strings)
    assert (decode.read(renderer, noise) == -1).all()
    assert (decode.read(renderer, 0.2 * noise - 1) == -1).all()
    assert (decode.read(renderer, 0.2 * noise + 1) == -1).all()


def test_accuracy_of_scalars_is_the_normal_law():
    renderer = Scalars(10)
    tokens = torch.randint(2, (4000, 10), generator=torch.Generator().manual_seed(1))
    table = decode.accuracy(decode.decoder(renderer), renderer(tokens), tokens, noise=(0, 0.8))

    def between(low, high):
        return (erf(high / 0.8 / sqrt(2)) - erf(low / 0.8 / sqrt(2))) / 2

    right, wrong = between(-0.5, 1.5), between(-3.5, -1.5)
    assert table["noise"] == [0, 0.8]
    for column, clean, noised in ("right", 1, right), ("wrong", 0, wrong), ("refused", 0, 1 - right - wrong):
        assert table[column][0] == clean
        assert abs(table[column][1] - noised) < 4 * sqrt(noised * (1 - noised) / tokens.numel())


def test_origin_of_the_weights(side):
    weights = assets.FOLDER / f"reader_{side}.safetensors"
    origin = json.loads(weights.with_suffix(".json").read_text())
    assert origin["weights_sha256"] == sha256(weights.read_bytes()).hexdigest()
    assert origin["data_sha256"] == sha256(assets.digits().numpy().tobytes()).hexdigest()
    assert weights.stat().st_size < 400_000


def test_held_out_digits_are_read(side, reader):
    signals, labels = examples(side, held_out=True)
    assert labels.bincount().tolist() == [200] * 10
    origin = json.loads((assets.FOLDER / f"reader_{side}.json").read_text())["held_out"]
    table = decode.accuracy(reader, signals, labels[:, None], noise=(0, 0.2))
    assert table["right"][0] > SIDES[side]
    assert table["refused"][0] <= 0.01
    assert table["right"][1] > 0.97
    assert table["right"][0] * 2000 == pytest.approx(origin["right"], abs=2)  # another CPU may round otherwise
    assert origin["right_95"][0] < table["right"][0] < origin["right_95"][1]


def test_what_shows_no_digit_is_refused(side, reader):
    signals, labels = examples(side, held_out=True)
    halves = (signals + signals.roll(600, 0)) / 2  # 200 of a digit: 600 on there is another one
    assert (labels != labels.roll(600)).all()
    assert (reader(halves) == -1).double().mean() >= 0.95
    assert (reader(signals.maximum(signals.roll(600, 0))) == -1).double().mean() >= 0.85
    noise = torch.randn(200, 1, side, side, generator=torch.Generator().manual_seed(0))
    for nothing in (noise, 0.2 * noise - 1, 0.5 * noise, 0 * noise - 1, 0 * noise, nan * noise):
        assert (reader(nothing) == -1).all()


@pytest.mark.parametrize("size", [28, 56, 64, 96])
def test_digits_are_read_in_their_quarters(size):
    renderer = Digits(size, exemplars=20)  # several: one would be read by its template
    tokens = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 9, 8]])
    signals = renderer.draw(tokens, torch.zeros_like(tokens))
    assert torch.equal(decode.read(renderer, signals), tokens)
    signals[1] = signals[1].where(~renderer.region(2), -1.0)
    tokens[1, 2] = -1
    assert torch.equal(decode.read(renderer, signals), tokens)


@pytest.mark.parametrize("renderer", [Scalars(3), Glyphs((2, 2), (16, 16)), Digits(28), Digits(28, exemplars=2)], ids=repr)
def test_no_signals_and_wrong_signals(renderer):
    assert decode.read(renderer, torch.empty(0, *renderer.shape)).shape == (0, renderer.length)
    with pytest.raises(ValueError, match="shape"):
        decode.read(renderer, torch.zeros(2, *renderer.shape, 1))
    with pytest.raises(ValueError, match="shape"):
        decode.read(renderer, torch.zeros(renderer.shape))


def test_decoder_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="Renderer with 2 exemplars"):
        decode.decoder(Renderer(torch.rand(2, 2, 3, 3), (1, 2)))
    with pytest.raises(ValueError, match="20 pixels.*14, 28"):
        decode.decoder(Digits(40, exemplars=2))
    with pytest.raises(ValueError, match="2 symbols"):
        decode.DigitReader(Scalars(3), torch.nn.Identity(), 0.5)
    with pytest.raises(ValueError, match="distinct"):
        decode.Templates(Renderer(torch.ones(2, 1, 3, 3), (1, 2)))
    with pytest.raises(ValueError, match="distinct"):
        decode.Templates(Renderer(torch.ones(1, 1, 3, 3), (1, 2)))
    with pytest.raises(ValueError, match="templates need one"):
        decode.Templates(Digits(28, exemplars=3))


@pytest.mark.parametrize("bounds", [{"ambiguity": -0.1}, {"ambiguity": 0.6}, {"distance": 0}, {"distance": nan}])
def test_templates_refuse_bounds(bounds):
    with pytest.raises(ValueError, match=f"{next(iter(bounds))}={next(iter(bounds.values()))}"):
        decode.Templates(Scalars(3), **bounds)


def test_spoiled_digits_are_of_two_kinds():
    # images that are their own label: a blend of two digits is never one of them
    labels = torch.arange(10).repeat_interleave(13)
    digits = labels.float()[:, None, None, None].expand(-1, 1, 9, 9)
    generator = torch.Generator().manual_seed(0)
    blends = spoil(digits, labels, generator, {"half blend": 1})
    assert ((blends - digits).abs() > 0.39).all()
    mixed = spoil(digits, labels, generator)
    assert mixed.shape == digits.shape and (mixed[-5:] == -1).all()


def test_training_learns():
    reader, losses = train_reader(14, steps=40, batch=32)
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    signals, labels = examples(14, held_out=True)
    with torch.inference_mode():
        assert (reader(signals)[:, :10].argmax(1) == labels).double().mean() > 0.6


def test_training_follows_its_seed():
    runs = [train_reader(14, steps=3, seed=seed, batch=8)[1] for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_digits_of_one_exemplar_are_read_by_template_at_any_size():
    for size in (28, 40, 64):
        renderer = Digits(size)
        strings = QuarterSum().support
        assert torch.equal(decode.read(renderer, renderer(strings)), strings)
        strokes = renderer(strings[:50])
        strokes[..., : size // 4, :] = -1.0  # the upper half of the upper digits is missing
        assert (decode.read(renderer, strokes)[:, :2] == strings[:50, :2]).double().mean() < 0.5
