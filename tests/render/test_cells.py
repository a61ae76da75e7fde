"""Renderers: cells and regions, exemplars, and what glyphs, digits, words and characters look like."""

import pytest
import torch

from localbias import assets, grammar, render
from localbias.grammar import Lexicon, Parity, QuarterSum
from localbias.render import (
    Blocks,
    Cells,
    Characters,
    Digits,
    Glyphs,
    Lines,
    Scalars,
    Vectors,
    Words,
    fit,
    line,
)
from localbias.render.fonts import draw, extent, ink

SOME_WORDS = ("I", "it's", "jumpy", "quiz", "TV")

RENDERERS = {
    "scalars": lambda: Scalars(5),
    "vectors": lambda: Vectors(3, width=4, symbols=3),
    "blocks": lambda: Blocks((2, 4)),
    "glyphs": lambda: Glyphs((2, 4), (16, 64)),
    "square glyphs": lambda: Glyphs((4, 4), (64, 64)),
    "digits": lambda: Digits(28, exemplars=3),
    "paper digits": lambda: Digits(64, exemplars=2),
    "words": lambda: Words((2, 3), (28, 24), SOME_WORDS),
    "lines": lambda: Lines((12, 40), SOME_WORDS),
    "characters": lambda: Characters(5, 16),
}
each = pytest.mark.parametrize(
    "renderer", [pytest.param(make(), id=name) for name, make in RENDERERS.items()]
)


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
    assert torch.equal(
        renderer(tokens, seeded(1)), renderer.draw(tokens, renderer.exemplars(tokens, seeded(1)))
    )


def test_exemplars_are_drawn_from_the_whole_pool():
    renderer = Digits(16, exemplars=5)
    drawn = renderer.exemplars(torch.zeros(200, 4, dtype=torch.int64), seeded())
    assert drawn.shape == (200, 4) and set(drawn.flatten().tolist()) == set(range(5))


def test_scalars_are_the_signs():
    signals = Scalars(3)(torch.tensor([[0, 1, 1]]))
    assert signals.tolist() == [[1, -1, -1]]
    strings = Parity(5).support
    assert (Scalars(5)(strings).prod(1) == 1).all()


@pytest.mark.parametrize(
    "grid, image", [((2, 4), (64, 64)), ((4, 4), (64, 64)), ((2, 4), (32, 64)), ((1, 4), (8, 32))]
)
def test_glyph_ink_is_whole_and_differs(grid, image):
    pool = Glyphs(grid, image).pool[:, 0]
    rim = torch.ones_like(pool[0], dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    assert (pool[:, rim] == -1).all()  # the ink touches no edge
    assert (pool.amax((1, 2)) > 0).all()
    left, right = pool
    assert (left - right).abs().max() > 0.5
    middle = (
        pool.shape[1] // 2
    )  # "(" bulges to the left in the middle of its height, ")" to the right
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
    torch.testing.assert_close(
        full[..., 2:30, 2:30], -embedded[..., 2:30, 2:30]
    )  # the negative, as patched


def test_make_builds_by_name():
    assert torch.equal(
        render.make("glyphs", grid=(2, 4), image=(16, 32)).pool, Glyphs((2, 4), (16, 32)).pool
    )
    assert render.make("scalars", length=7).shape == (7,)
    assert render.make("digits", size=28).shape == (1, 28, 28)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: render.make("sounds"), "sounds.*scalars, vectors, blocks, glyphs"),
        (lambda: render.make("digits", colour=True), "colour"),
        (lambda: Glyphs((3, 3), (64, 64)), r"\(64, 64\).*\(3, 3\)"),
        (lambda: Glyphs((0, 4), (64, 64)), r"\(0, 4\)"),
        (lambda: Glyphs((2, 2), (4, 4)), "2×2"),
        (lambda: Glyphs((1, 2), (8, 16), ("ab", "c")), "'ab'.*distinct single"),
        (lambda: Glyphs((1, 2), (8, 16), ("a", "a")), "distinct single"),
        (lambda: Glyphs((1, 2), (8, 16), ("a", "猫")), r"'猫' \(U\+732B\).*DejaVu Sans Mono"),
        (lambda: Glyphs((1, 2), (8, 16), ("a", "\u3000")), r"U\+3000"),
        (lambda: Words((1, 4), (14, 40), ("cat", "c猫t")), r"no ink for '猫' \(U\+732B\)"),
        (lambda: Words((1, 4), (14, 40), ("a\u00a0b", "c\u200dd")), r"U\+00A0.*U\+200D"),
        (lambda: Lines((16, 96), ("cat", "c猫t")), r"U\+732B.*DejaVu Sans;"),
        (lambda: Digits(27), "size=27"),
        (lambda: Digits(8), "size=8"),
        (lambda: Digits(exemplars=0), "exemplars=0.*1000"),
        (lambda: Digits(exemplars=1001), "exemplars=1001.*1000"),
        (lambda: Digits(source="fashion"), "fashion.*embedded, full"),
        (lambda: Words((1, 14), (14, 100)), r"\(14, 100\).*\(1, 14\)"),
        (lambda: Words((1, 14), (9, 98)), "9×7 pixels.*10×6"),
        (lambda: Words((2, 8), (64, 40)), "32×5 pixels.*10×6"),
        (lambda: Words((1, 1), (16, 16), "german"), "'german'"),
        (lambda: Lines((9, 96)), "9×96 pixels.*10×20"),
        (lambda: Lines((16, 96), ()), r"words=\(\)"),
        (lambda: Characters(3, 33), "size=33.*even"),
        (lambda: Characters(3, 14), "size=14.*16"),
        (lambda: Characters(3001), "count=3001"),
        (lambda: render.make("words", grid=(1, 14)), "image"),
        (lambda: Scalars(4).region(4), "region 4.*0 to 3"),
        (lambda: Glyphs((1, 2), (8, 16)).region(-1), "region -1.*0 to 1"),
        (lambda: Scalars(4)(Parity(5).support), "5 symbols"),
        (lambda: Scalars(4)(QuarterSum().support), "0 to 9.*0 to 1"),
        (lambda: Scalars(2)(torch.tensor([[0, -1]])), "-1 to 0"),
        (lambda: Cells(torch.zeros(2, 1, 3, 3), (1, 2), (17,)), r"\(17,\).*2 cells of 3×3"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def touches_an_edge(pool: torch.Tensor) -> torch.Tensor:
    """Whether any ink lies in the outermost pixels of pictures [n, h, w]: bool [n]."""
    rim = torch.ones(pool.shape[1:], dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    return (pool[:, rim] > -1).any(1)


SIZES = [((1, 14), (14, 98)), ((2, 8), (64, 64)), ((1, 14), (16, 112)), ((1, 14), (10, 84))]


@pytest.mark.parametrize("grid, image", SIZES)
def test_letters_are_whole_and_differ(grid, image):
    renderer, letters = Words(grid, image), Lexicon().alphabet
    pool = renderer.pool[:, 0]
    assert pool.shape == (len(letters), image[0] // grid[0], image[1] // grid[1])
    assert (pool[0] == -1).all() and letters[0] == " " and (pool[1:].amax((1, 2)) > -0.4).all()
    assert not touches_an_edge(pool).any()
    apart = torch.pdist(pool.flatten(1)) / pool[0].numel() ** 0.5
    assert apart.min() > 0.1  # of 2, from background to ink


@pytest.mark.parametrize("grid, image", SIZES)
def test_letters_stand_on_one_baseline_at_one_size(grid, image):
    letters, pool = Lexicon().alphabet, Words(grid, image).pool[:, 0]
    rows = {
        letter: (picture > -1).any(1).nonzero()[:, 0]
        for letter, picture in zip(letters[1:], pool[1:])
    }
    feet = {rows[letter][-1].item() for letter in "ADIMPRTVfhiklmnrvwxz"}  # letters with flat feet
    assert len(feet) == 1
    assert len({rows[letter][0].item() for letter in "vwxz"}) == 1  # and flat shoulders
    assert len({rows[letter][0].item() for letter in "DIMPRTV"}) == 1
    assert rows["x"][0] > rows["I"][0] and all(rows[letter][-1] > max(feet) for letter in "gpqy")
    weights = pool.add(1).sum((1, 2))
    assert weights[letters.index("m")] > weights[letters.index("n")] > weights[letters.index("i")]


def test_a_word_is_its_letters_side_by_side():
    renderer, law = Words((1, 5), (14, 40), SOME_WORDS), Lexicon(SOME_WORDS)
    pictures = renderer(law.support)
    for word, picture in zip(law.entries, pictures):
        cells = picture[0].split(8, dim=1)
        for letter, cell in zip(word.ljust(5), cells):
            assert torch.equal(cell, renderer.pool[law.alphabet.index(letter), 0])
    two_rows = Words((2, 3), (28, 24), SOME_WORDS)(Lexicon(SOME_WORDS, cells=6).support)
    upper, lower = two_rows[:, 0, :14], two_rows[:, 0, 14:]
    assert (
        torch.equal(torch.cat([upper, lower], 2)[..., :40], pictures[:, 0])
        and (lower[..., 16:] == -1).all()
    )


def extreme_words() -> tuple[str, ...]:
    """Words of the list that reach farthest to each side, which decide the size of all, and a few others."""
    entries = Lexicon(whole=True).entries
    boxes = torch.tensor([ink(word, "sans") for word in entries])
    order = boxes.argsort(0)
    return tuple(
        entries[i] for i in {*order[:5].flatten().tolist(), *order[-5:].flatten().tolist()}
    )


@pytest.mark.parametrize("height, width", [(16, 96), (64, 64)])
def test_words_of_lines_are_whole_at_one_size_and_fill_the_line(height, width):
    words = extreme_words()
    assert extent(words, "sans") == extent(Lexicon(whole=True).entries, "sans")
    pool = Lines((height, width), words).pool[:, 0]
    assert pool.shape == (len(words), height, width) and not touches_an_edge(pool).any()
    inside = torch.stack(
        [line(word, height, width, Lexicon(whole=True).entries) for word in sorted(words)]
    )
    assert torch.equal(pool, inside)
    columns, rows = ((pool > -1).any((0, axis)).sum().item() for axis in (1, 2))
    assert columns >= width - 5 or rows >= height - 5  # the tighter direction is used


def test_lines_are_distinct_pictures_of_whole_words():
    law, renderer = Lexicon(whole=True), Lines((16, 96))
    assert renderer.pool.shape == (999, 1, 16, 96) and renderer.region(0).all()
    assert torch.equal(
        renderer.draw(law.support, torch.zeros_like(law.support))[:, 0], renderer.pool[:, 0]
    )
    assert len(renderer.pool.flatten(1).unique(dim=0)) == 999
    place = law.entries.index("people")
    assert torch.equal(renderer.pool[place, 0], line("people", 16, 96, law.entries))
    assert torch.equal(renderer.strings, law.support)


@pytest.mark.parametrize("size", [32, 64])
def test_no_character_touches_an_edge(size, monkeypatch):
    """Of all 3,000 those that reach farthest to each side are drawn: all others lie inside of them."""
    characters = assets.characters()
    order = torch.tensor([ink(character, "kai") for character in characters]).argsort(0)
    chosen = {*order[:10].flatten().tolist(), *order[-10:].flatten().tolist()}
    monkeypatch.setattr(assets, "characters", lambda: tuple(characters[i] for i in chosen))
    renderer = Characters(len(chosen), size)
    pictures = renderer.draw(renderer.strings, torch.zeros_like(renderer.strings))[:, 0]
    assert not touches_an_edge(pictures).any() and (pictures.amax((1, 2)) > 0.5).all()
    spread = (pictures > -1).any(0)
    assert spread.any(0).sum() > 0.85 * size and spread.any(1).sum() > 0.85 * size


def test_a_character_is_cut_into_quarters_and_put_together():
    count, size = 30, 32
    renderer, law = Characters(count, size), grammar.Characters(count)
    assert renderer.pool.shape == (4 * count, 1, 16, 16) and torch.equal(
        renderer.strings, law.support
    )
    pictures = renderer(law.support)[:, 0]
    em = 0.9 * size
    whole = [
        draw(c, "kai", em, (size / 2, size / 2 + 0.38 * em), size, size)
        for c in assets.characters()[:count]
    ]
    assert torch.equal(pictures, torch.stack(whole))
    assert len(pictures.flatten(1).unique(dim=0)) == count
    corners = [(0, 0), (0, 16), (16, 0), (16, 16)]
    for i, (row, column) in enumerate(corners):
        assert torch.equal(
            renderer.pool[i::4, 0], pictures[:, row : row + 16, column : column + 16]
        )


def test_blocks_are_plain_and_vectors_are_the_same_for_everyone():
    signal = Blocks((1, 2), side=3)(torch.tensor([[0, 1]]))[0, 0]
    assert torch.equal(signal, torch.tensor([[1.0] * 3 + [-1.0] * 3] * 3))
    vectors = Vectors(2, width=5)
    assert torch.equal(vectors.pool, Vectors(7, width=5).pool)
    shown = vectors(torch.tensor([[1, 0]]))[0]
    assert torch.equal(shown, torch.cat([vectors.pool[1].flatten(), vectors.pool[0].flatten()]))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Blocks((1, 2), side=0), "side=0; allowed: 1 pixel or more"),
        (lambda: Vectors(2, width=0), "width=0, symbols=2; allowed: 1"),
        (lambda: Words((1, 5), (12, 40), longest=0), "longest=0; allowed: from 1"),
    ],
)
def test_cells_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_letters_of_the_shorter_words_alone():
    words = Words((1, 5), (12, 40), longest=5)
    assert words.symbols == len(Lexicon(longest=5).alphabet) < len(Lexicon().alphabet)
