"""Reading symbols back: templates, digits, letters and whole pictures, and what is refused."""

import json
from hashlib import sha256
from math import erf, inf, nan, sqrt

import pytest
import torch

from localbias import assets, reading, render
from localbias.grammar import Characters, Lexicon, Parity, QuarterSum
from localbias.reading.digits import (
    examples,
    shipped_network,
    train_network,
    unreadable_images,
)
from localbias.reading.templates import NEAR
from localbias.render import Cells, Digits, Glyphs, Lines, Pictures, Scalars, Words

SIDES = {14: 0.975, 28: 0.985}  # what the readers must read of the held-out digits


@pytest.fixture(scope="module", params=SIDES)
def side(request):
    return request.param


@pytest.fixture(scope="module")
def reader(side):
    """Reads single digits [n, 1, side, side] -> [n, 1]."""
    ten = Cells(torch.zeros(10, 1, side, side), (1, 1))
    return reading.DigitReader(ten, *shipped_network(side))


@pytest.mark.parametrize(
    "renderer",
    [Scalars(8), Glyphs((2, 4), (64, 64)), Glyphs((2, 4), (16, 32)), Glyphs((4, 4), (64, 64))],
    ids=repr,
)
def test_templates_read_strings(renderer):
    strings, _ = Parity(renderer.length).split(128, seed=0)  # all of length 8
    assert torch.equal(reading.reader(renderer)(renderer(strings)), strings)


@pytest.mark.parametrize(
    "value, token",
    [
        (1, 0),
        (-1, 1),
        (0.5, 0),
        (-0.5, 1),
        (0.499, -1),
        (-0.499, -1),
        (0, -1),
        (2.499, 0),
        (2.501, -1),
        (-2.499, 1),
        (-2.501, -1),
        (nan, -1),
        (inf, -1),
        (-inf, -1),
    ],
)
def test_bounds_of_scalars(value, token):
    signals = torch.tensor([[1.0, value, -1.0]])
    assert reading.reader(Scalars(3))(signals).tolist() == [[0, token, 1]]


def test_bounds_of_templates():
    renderer = Glyphs((1, 2), (16, 16))
    here, there = renderer.pool[:, 0].flatten(1)
    gap = (there - here).norm()
    aside = torch.randn(len(here), generator=torch.Generator().manual_seed(0))
    along = (there - here) / gap
    aside = torch.nn.functional.normalize(aside - (aside @ along) * along, dim=0)

    def token(cell, **bounds):
        return reading.Templates(renderer, **bounds)(
            renderer.join(torch.stack([cell, there])[None])
        )[0].tolist()

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
    read = reading.Templates(Cells(pool, (1, 1)))(cells.reshape(-1, 1, 1, 2))
    assert read[:, 0].tolist() == [0, -1, -1, 0, 1]


def test_templates_under_noise():
    generator = torch.Generator().manual_seed(0)
    renderer, strings = Glyphs((2, 4), (64, 64)), Parity(8).support
    signals = renderer(strings)
    noise = torch.randn(signals.shape, generator=generator)
    assert torch.equal(reading.reader(renderer)(signals + 0.4 * noise), strings)
    assert (reading.reader(renderer)(noise) == -1).all()
    assert (reading.reader(renderer)(0.2 * noise - 1) == -1).all()
    assert (reading.reader(renderer)(0.2 * noise + 1) == -1).all()


def test_accuracy_of_scalars_is_the_normal_law():
    renderer = Scalars(10)
    tokens = torch.randint(2, (4000, 10), generator=torch.Generator().manual_seed(1))
    table = reading.symbol_accuracy(
        reading.reader(renderer), renderer(tokens), tokens, noise=(0, 0.8)
    )

    def between(low, high):
        return (erf(high / 0.8 / sqrt(2)) - erf(low / 0.8 / sqrt(2))) / 2

    right, wrong = between(-0.5, 1.5), between(-3.5, -1.5)
    assert table["noise"] == [0, 0.8]
    for column, clean, noised in (
        ("right", 1, right),
        ("wrong", 0, wrong),
        ("refused", 0, 1 - right - wrong),
    ):
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
    table = reading.symbol_accuracy(reader, signals, labels[:, None], noise=(0, 0.2))
    assert table["right"][0] > SIDES[side]
    assert table["refused"][0] <= 0.01
    assert table["right"][1] > 0.97
    assert table["right"][0] * 2000 == pytest.approx(
        origin["right"], abs=2
    )  # another CPU may round otherwise
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
    assert torch.equal(reading.reader(renderer)(signals), tokens)
    signals[1] = signals[1].where(~renderer.region(2), -1.0)
    tokens[1, 2] = -1
    assert torch.equal(reading.reader(renderer)(signals), tokens)


@pytest.mark.parametrize(
    "renderer",
    [Scalars(3), Glyphs((2, 2), (16, 16)), Digits(28), Digits(28, exemplars=2)],
    ids=repr,
)
def test_no_signals_and_wrong_signals(renderer):
    assert reading.reader(renderer)(torch.empty(0, *renderer.shape)).shape == (0, renderer.length)
    with pytest.raises(ValueError, match="shape"):
        reading.reader(renderer)(torch.zeros(2, *renderer.shape, 1))
    with pytest.raises(ValueError, match="shape"):
        reading.reader(renderer)(torch.zeros(renderer.shape))


def test_decoder_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="Cells with 2 exemplars"):
        reading.reader(Cells(torch.rand(2, 2, 3, 3), (1, 2)))
    with pytest.raises(ValueError, match="20 pixels.*14, 28"):
        reading.reader(Digits(40, exemplars=2))
    with pytest.raises(ValueError, match="2 symbols"):
        reading.DigitReader(Scalars(3), torch.nn.Identity(), 0.5)
    with pytest.raises(ValueError, match="distinct"):
        reading.Templates(Cells(torch.ones(2, 1, 3, 3), (1, 2)))
    with pytest.raises(ValueError, match="distinct"):
        reading.Templates(Cells(torch.ones(1, 1, 3, 3), (1, 2)))
    with pytest.raises(ValueError, match="templates need one"):
        reading.Templates(Digits(28, exemplars=3))


@pytest.mark.parametrize(
    "bounds", [{"ambiguity": -0.1}, {"ambiguity": 0.6}, {"distance": 0}, {"distance": nan}]
)
def test_templates_refuse_bounds(bounds):
    with pytest.raises(ValueError, match=f"{next(iter(bounds))}={next(iter(bounds.values()))}"):
        reading.Templates(Scalars(3), **bounds)


def test_unreadable_images_are_of_two_digits():
    # images that are their own label: a blend of two digits is never one of them
    labels = torch.arange(10).repeat_interleave(13)
    digits = labels.float()[:, None, None, None].expand(-1, 1, 9, 9)
    generator = torch.Generator().manual_seed(0)
    blends = unreadable_images(digits, labels, generator, {"half blend": 1})
    assert ((blends - digits).abs() > 0.39).all()
    mixed = unreadable_images(digits, labels, generator)
    assert mixed.shape == digits.shape and (mixed[-5:] == -1).all()


def test_training_learns():
    network, losses = train_network(14, steps=40, batch=32)
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    signals, labels = examples(14, held_out=True)
    with torch.inference_mode():
        assert (network(signals)[:, :10].argmax(1) == labels).double().mean() > 0.6


def test_training_follows_its_seed():
    runs = [train_network(14, steps=3, seed=seed, batch=8)[1] for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_digits_of_one_exemplar_are_read_by_template_at_any_size():
    for size in (28, 40, 64):
        renderer = Digits(size)
        strings = QuarterSum().support
        assert torch.equal(reading.reader(renderer)(renderer(strings)), strings)
        strokes = renderer(strings[:50])
        strokes[..., : size // 4, :] = -1.0  # the upper half of the upper digits is missing
        assert (reading.reader(renderer)(strokes)[:, :2] == strings[:50, :2]).double().mean() < 0.5


@pytest.mark.parametrize("grid, image, cells", [((1, 14), (14, 98), None), ((2, 8), (64, 64), 16)])
def test_words_are_read_letter_by_letter(grid, image, cells):
    law, renderer = Lexicon(cells=cells), Words(grid, image)
    strings, signals = law.support, renderer(law.support)
    assert torch.equal(reading.reader(renderer)(signals), strings)
    noise = torch.randn(signals.shape, generator=torch.Generator().manual_seed(0))
    table = reading.symbol_accuracy(
        reading.reader(renderer), signals[::10], strings[::10], noise=(0, 0.1, 0.6)
    )
    assert table["right"][:2] == pytest.approx([1, 1], abs=0.002) and table["refused"][2] > 0.99
    assert (reading.reader(renderer)(noise[:20]) == -1).all()
    misspelt = strings[strings[:, 4] > 0].clone()  # five letters or more, the third exchanged
    misspelt[:, 2] = 1 + misspelt[:, 2] % (len(law.alphabet) - 1)
    assert torch.equal(reading.reader(renderer)(renderer(misspelt)), misspelt)
    assert law.is_valid(misspelt).double().mean() < 0.05


def test_what_is_no_letter_is_refused_where_it_stands():
    law, renderer = Lexicon(), Words((1, 14), (14, 98))
    strings = law.support[law.support[:, 2] > 0][:100]
    signals = renderer(strings)
    first, third = strings[:, 0], strings[:, 2]
    pool = renderer.pool[:, 0]
    everything_else = torch.arange(14) != 2
    for cell in (
        (pool[first] + pool[third]) / 2,  # a half blend of two letters
        pool[first].maximum(pool[third]),  # one over the other
        -pool[third],
        torch.full_like(pool[third], nan),
    ):
        changed = signals.clone()
        changed[:, 0, :, 14:21] = cell
        tokens = reading.reader(renderer)(changed)
        assert torch.equal(tokens[:, everything_else], strings[:, everything_else])
        refused = tokens[:, 2] == -1
        assert (
            refused[(pool[first] - pool[third]).square().mean((1, 2)) > 0.25].all()
            and refused.any()
        )
        assert not law.is_valid(tokens[refused]).any()


def test_the_root_mean_square_bound_of_templates():
    renderer = Words((1, 1), (14, 8), ("a", "o"))
    letter = renderer.pool[1, 0]
    pattern = torch.ones(14, 8)
    pattern[::2] = -1
    reader = reading.Templates(renderer, ambiguity=0.5, near=0.3)
    assert [reader((letter + size * pattern)[None, None]).item() for size in (0.29, 0.31)] == [
        1,
        -1,
    ]
    with pytest.raises(ValueError, match="near=0"):
        reading.Templates(renderer, near=0)
    with pytest.raises(ValueError, match="near=-1"):
        reading.PictureReader(Lines((12, 40), ("a", "o")), near=-1)


def test_lines_are_read_as_wholes():
    words = assets.words()[::8]
    law, renderer = Lexicon(words, whole=True), Lines((16, 96), words)
    read, signals = reading.reader(renderer), renderer(law.support)
    assert torch.equal(read(signals), law.support)
    noise = torch.randn(signals.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(read(signals + 0.2 * noise), law.support)
    assert (read((signals + signals.roll(1, 0)) / 2) == -1).all()  # half blends
    for nothing in (noise, -signals, nan * signals, 0 * signals, 0 * signals - 1):
        assert (read(nothing) == -1).all()


@pytest.fixture(scope="module")
def hundred():
    """The 100 most frequent characters at 32 pixels: grammar and renderer."""
    return Characters(100), render.Characters(100, 32)


def test_characters_are_read_and_blends_of_them_refused(hundred):
    law, renderer = hundred
    signals = renderer(law.support)
    assert torch.equal(reading.reader(renderer)(signals), law.support)
    noise = torch.randn(signals.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(reading.reader(renderer)(signals + 0.2 * noise), law.support)
    quarters = renderer.split(signals)
    apart = (quarters - quarters.roll(1, 0)).square().mean(2).sqrt()
    assert (apart.amax(1) > 2.2 * NEAR).double().mean() > 0.9
    tokens = reading.reader(renderer)((signals + signals.roll(1, 0)) / 2)
    assert (tokens[apart > 2.2 * NEAR] == -1).all()
    assert not law.is_valid(tokens).any()
    for nothing in (noise[:20], -signals[:20], nan * signals[:2], 0 * signals[:2]):
        assert not law.is_valid(reading.reader(renderer)(nothing)).any()


def test_quarters_of_different_characters_are_read_and_are_no_character(hundred):
    law, renderer = hundred
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randint(100, (200, 4), generator=generator) * 4 + torch.arange(4)
    mixed = mixed[~law.is_valid(mixed)]
    signals = renderer(mixed)
    noise = torch.randn(signals.shape, generator=generator)
    for shown in (signals, signals + 0.1 * noise):
        tokens = reading.reader(renderer)(shown)
        assert torch.equal(tokens, mixed) and not law.is_valid(tokens).any()
    signals[:, :, :16, :16] = noise[:, :, :16, :16]  # one quarter is spoiled, the others are read
    spoiled = reading.reader(renderer)(signals)
    assert (spoiled[:, 0] == -1).all() and torch.equal(spoiled[:, 1:], mixed[:, 1:])


def test_a_quarter_that_characters_share_does_not_confuse_them(monkeypatch):
    """产, 广 and 厂 have the same empty quarter at the bottom right."""
    names = tuple("产广厂一")
    monkeypatch.setattr(assets, "characters", lambda: names)
    law, renderer = Characters(4), render.Characters(4, 32)
    corner = renderer.pool[3::4, 0]
    assert (corner[:3] == corner[0]).all()
    signals = renderer(law.support)
    noise = torch.randn(signals.shape, generator=torch.Generator().manual_seed(0))
    for shown in (signals, signals + 0.1 * noise):
        assert torch.equal(reading.reader(renderer)(shown), law.support)
    swapped = law.support.clone()
    swapped[:3, 3] = swapped[[1, 2, 0], 3]  # as symbols they differ, as pictures they do not
    assert torch.equal(reading.reader(renderer)(renderer(swapped)), law.support)


def test_pictures_of_ones_own():
    """Two pictures of two cells that share the second; both orders of the cells can be read, but not a cell alone."""
    pool = torch.tensor([[1.0, 1, -1, -1], [-1, 1, -1, 1], [-1, -1, 1, 1]]).reshape(3, 1, 2, 2)[
        :, 0
    ]
    renderer = Pictures(pool, (1, 2), torch.tensor([[0, 2], [1, 2]]))

    def tokens(left, right):
        return reading.reader(renderer)(torch.cat([left, right], 1)[None, None]).tolist()[0]

    assert tokens(pool[0], pool[2]) == [0, 2] and tokens(pool[1], pool[2]) == [1, 2]
    assert tokens(pool[1], pool[0]) == [
        1,
        -1,
    ]  # the first picture's left cell never stands on the right
    assert tokens(pool[2], pool[2]) == [-1, 2]
    assert tokens((pool[0] + pool[1]) / 2, pool[2]) == [-1, 2]
    assert reading.reader(renderer)(torch.empty(0, 1, 2, 4)).shape == (0, 2)
    with pytest.raises(ValueError, match=r"shape \(1, 2, 2\).*\(1, 2, 4\)"):
        reading.reader(renderer)(torch.zeros(3, 1, 2, 2))
    with pytest.raises(ValueError, match="distinct"):
        reading.PictureReader(Pictures(pool, (1, 2), torch.tensor([[0, 2], [0, 2]])))


def test_known_pieces_by_hand():
    """Two pictures of 4 × 4 in pieces of 2 × 2, one with ink top left, one bottom right."""
    pictures = torch.full((2, 1, 4, 4), -1.0)
    pictures[0, 0, :2, :2] = pictures[1, 0, 2:, 2:] = 1
    both = torch.maximum(*pictures)[None]
    moved = pictures[:1].roll(2, -1)  # known ink, where no picture has it
    faint = both + 0.2
    known, ink = reading.known_pieces(torch.cat([both, moved, faint, both + 0.4]), pictures, 2)
    assert known.tolist() == [[True] * 4, [True, False, True, True], [True] * 4, [False] * 4]
    assert (
        ink.tolist()
        == [[True, False, False, True], [False, True, False, False]]
        + [[True, False, False, True]] * 2
    )
    assert not reading.known_pieces(both, pictures, 4)[0].any()  # as a whole it is no picture
    assert reading.known_pieces(pictures, pictures, 4)[0].all()


def test_known_pieces_of_other_shapes():
    for size in (3, 0, -2, 2.0):
        with pytest.raises(ValueError, match=f"size={size}; allowed: what divides 4 and 4"):
            reading.known_pieces(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), size)
    with pytest.raises(ValueError, match="no pictures"):
        reading.known_pieces(torch.zeros(1, 1, 4, 4), torch.zeros(0, 1, 4, 4), 2)
    with pytest.raises(ValueError, match="alike but for B"):
        reading.known_pieces(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 4), 2)
