"""Renderers: cells and regions, exemplars, and what glyphs and digits look like."""

import pytest
import torch

from localbias import assets, render
from localbias.grammar import Parity, QuarterSum
from localbias.render import Digits, Glyphs, Renderer, Scalars, fit

RENDERERS = {
    "scalars": lambda: Scalars(5),
    "glyphs": lambda: Glyphs((2, 4), (16, 64)),
    "square glyphs": lambda: Glyphs((4, 4), (64, 64)),
    "digits": lambda: Digits(28, exemplars=3),
    "paper digits": lambda: Digits(64, exemplars=2),
}
each = pytest.mark.parametrize("renderer", [pytest.param(make(), id=name) for name, make in RENDERERS.items()])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tokens_for(renderer, n=6):
    return torch.randint(len(renderer.pool), (n, renderer.length), generator=seeded(1))


@each
def test_split_and_join_are_inverse(renderer):
    signals = torch.randn(3, *renderer.shape, generator=seeded())
    cells = renderer.split(signals)
    assert cells.shape == (3, renderer.length, renderer.height * renderer.width)
    assert torch.equal(renderer.join(cells), signals)


@each
def test_regions_partition_the_signal(renderer):
    regions = torch.stack([renderer.region(i) for i in range(renderer.length)])
    assert regions.dtype == torch.bool and regions.shape[1:] == renderer.shape
    assert (regions.sum(0) == 1).all()
    assert (regions.flatten(1).sum(1) == renderer.height * renderer.width).all()


@each
def test_a_symbol_changes_its_region_and_nothing_else(renderer):
    tokens = torch.zeros(1, renderer.length, dtype=torch.int64)
    before = renderer.draw(tokens, torch.zeros_like(tokens))
    for i in range(renderer.length):
        other = tokens.clone()
        other[0, i] = 1
        changed = (renderer.draw(other, torch.zeros_like(tokens)) != before)[0]
        assert changed.any() and not changed[~renderer.region(i)].any()


@each
def test_every_cell_shows_the_exemplar_it_was_asked_for(renderer):
    tokens = tokens_for(renderer)
    exemplars = renderer.exemplars(tokens, seeded())
    cells = renderer.split(renderer.draw(tokens, exemplars))
    for n in range(len(tokens)):
        for i in range(renderer.length):
            assert torch.equal(cells[n, i], renderer.pool[tokens[n, i], exemplars[n, i]].flatten())


@each
def test_signals_are_float32_in_minus_one_to_one(renderer):
    signals = renderer(tokens_for(renderer), seeded())
    assert signals.dtype == torch.float32 and signals.shape == (6, *renderer.shape)
    assert signals.min() >= -1 and signals.max() <= 1 and signals.max() > 0
    assert renderer.pool.isfinite().all()


def test_images_are_laid_out_row_by_row():
    renderer = Glyphs((2, 3), (16, 24))
    region = renderer.region(4)  # row 1, column 1
    assert region[0, 8:16, 8:16].all() and region.sum() == 64


def test_fresh_rendering_draws_each_exposure_anew():
    renderer, tokens = Digits(28, exemplars=50), torch.full((30, 4), 7)
    assert torch.equal(renderer(tokens, seeded(1)), renderer(tokens, seeded(1)))
    assert not torch.equal(renderer(tokens, seeded(1)), renderer(tokens, seeded(2)))
    generator = seeded(1)
    assert not torch.equal(renderer(tokens, generator), renderer(tokens, generator))
    assert torch.equal(renderer(tokens, seeded(1)), renderer.draw(tokens, renderer.exemplars(tokens, seeded(1))))


def test_exemplars_are_drawn_from_the_whole_pool():
    renderer = Digits(16, exemplars=5)
    drawn = renderer.exemplars(torch.zeros(200, 4, dtype=torch.int64), seeded())
    assert drawn.shape == (200, 4) and set(drawn.flatten().tolist()) == set(range(5))


def test_scalars_are_the_signs():
    signals = Scalars(3)(torch.tensor([[0, 1, 1]]))
    assert signals.tolist() == [[1, -1, -1]]
    strings = Parity(5).support
    assert (Scalars(5)(strings).prod(1) == 1).all()


@pytest.mark.parametrize("grid, image", [((2, 4), (64, 64)), ((4, 4), (64, 64)), ((2, 4), (32, 64)), ((1, 4), (8, 32))])
def test_glyph_ink_is_whole_and_differs(grid, image):
    pool = Glyphs(grid, image).pool[:, 0]
    rim = torch.ones_like(pool[0], dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    assert (pool[:, rim] == -1).all()  # the ink touches no edge
    assert (pool.amax((1, 2)) > 0).all()
    left, right = pool
    assert (left - right).abs().max() > 0.5
    middle = pool.shape[1] // 2  # "(" bulges to the left in the middle of its height, ")" to the right
    columns = torch.arange(pool.shape[2], dtype=torch.float32)
    for glyph, side in ((left, -1), (right, 1)):
        ink = glyph + 1

        def centre(rows):
            return (rows * columns).sum() / rows.sum()

        assert side * (centre(ink[middle]) - centre(ink)) > 0.1


def test_glyphs_of_another_alphabet():
    renderer = Glyphs((1, 2), (16, 32), alphabet=("a", "b", "c"))
    assert renderer.pool.shape == (3, 1, 16, 16)
    assert torch.pdist(renderer.pool.flatten(1)).min() > 1


def test_paper_digits_are_the_embedded_images_unflipped():
    source = assets.digits()[:, :2].float() / 127.5 - 1
    pool = Digits(64, exemplars=2).pool
    assert pool.shape == (10, 2, 32, 32)
    assert torch.equal(pool[..., 2:30, 2:30], source)
    rim = torch.ones(32, 32, dtype=torch.bool)
    rim[2:30, 2:30] = False
    assert (pool[..., rim] == -1).all()


def test_a_drawn_string_of_digits_is_its_source_images():
    tokens, exemplars = torch.tensor([[3, 8, 5, 6]]), torch.tensor([[1, 0, 1, 0]])
    image = Digits(64, exemplars=2).draw(tokens, exemplars)[0, 0]
    source = assets.digits().float() / 127.5 - 1
    corners = [(0, 0), (0, 32), (32, 0), (32, 32)]
    for k, e, (row, column) in zip(tokens[0], exemplars[0], corners):
        assert torch.equal(image[row + 2 : row + 30, column + 2 : column + 30], source[k, e])


def test_small_digits_are_averages():
    images = assets.digits()[:, :3]
    small = Digits(28, exemplars=3).pool
    blocks = (images.float() / 127.5 - 1).reshape(10, 3, 14, 2, 14, 2).mean((3, 5))
    torch.testing.assert_close(small, blocks)


@pytest.mark.parametrize("side", [8, 11, 14, 28, 29, 32])
def test_fit_keeps_leading_axes(side):
    together = fit(assets.digits()[:2, :3], side)
    assert together.shape == (2, 3, side, side)
    assert torch.equal(fit(assets.digits()[1, :3], side), together[1])


def test_full_source_comes_from_torchvision(monkeypatch):
    monkeypatch.setattr(assets, "full_digits", lambda: 255 - assets.digits()[:, :4])
    full, embedded = Digits(64, exemplars=4, source="full").pool, Digits(64, exemplars=4).pool
    torch.testing.assert_close(full[..., 2:30, 2:30], -embedded[..., 2:30, 2:30])  # the negative, as patched


def test_make_builds_by_name():
    assert torch.equal(render.make("glyphs", grid=(2, 4), image=(16, 32)).pool, Glyphs((2, 4), (16, 32)).pool)
    assert render.make("scalars", length=7).shape == (7,)
    assert render.make("digits", size=28).shape == (1, 28, 28)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: render.make("sounds"), "sounds.*scalars, glyphs, digits"),
        (lambda: render.make("digits", colour=True), "colour"),
        (lambda: Glyphs((3, 3), (64, 64)), r"\(64, 64\).*\(3, 3\)"),
        (lambda: Glyphs((0, 4), (64, 64)), r"\(0, 4\)"),
        (lambda: Glyphs((2, 2), (4, 4)), "2×2"),
        (lambda: Digits(27), "size=27"),
        (lambda: Digits(8), "size=8"),
        (lambda: Digits(exemplars=0), "exemplars=0.*1000"),
        (lambda: Digits(exemplars=1001), "exemplars=1001.*1000"),
        (lambda: Digits(source="fashion"), "fashion.*embedded, full"),
        (lambda: Scalars(4).region(4), "region 4.*0 to 3"),
        (lambda: Glyphs((1, 2), (8, 16)).region(-1), "region -1.*0 to 1"),
        (lambda: Scalars(4)(Parity(5).support), "5 symbols"),
        (lambda: Scalars(4)(QuarterSum().support), "0 to 9.*0 to 1"),
        (lambda: Scalars(2)(torch.tensor([[0, -1]])), "-1 to 0"),
        (lambda: Renderer(torch.zeros(2, 1, 3, 3), (1, 2), (17,)), r"\(17,\).*2 cells of 3×3"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
