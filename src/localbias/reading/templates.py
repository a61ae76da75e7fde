"""Signals to tokens by the distance to templates; what is not clearly one is refused (−1)."""

from math import inf

import torch
from torch import Tensor, nn

from localbias.render import Cells, Pictures

NEAR = 0.3  # root mean square distance a pixel, of signals from −1 to 1; a lost stroke makes more


class Templates:
    """Reads a cell as the nearest template if no other one is about as near, and it is near enough.

    Both bounds are in units of the distance between templates. Take the line from the nearest
    template (0) to another one (1). The cell is ambiguous if it projects beyond `ambiguity`; a half
    blend projects to ½. It is foreign if it is farther from the nearest template than `distance`
    times the gap to the next one; noise of standard deviation σ lies about σ√(h·w) away. On ±1
    scalars the defaults read 0.5 ≤ |x| ≤ 2.5. Where some templates are alike, as letters are, the
    second bound is too strict: with `near`, the root mean square distance a pixel is held to that
    instead.

    Attributes:
        renderer: shows one exemplar a symbol.
        ambiguity: 0 to 0.5.
        distance: above 0.
        near: above 0, or None to use `distance`.
        templates: [K, h·w].
        gaps: [K, K], the distances between templates, infinite to themselves.

    Raises:
        ValueError: for bounds out of range, several exemplars a symbol, or templates that are not
            distinct.
    """

    def __init__(
        self,
        renderer: Cells,
        ambiguity: float = 0.25,
        distance: float = 0.75,
        near: float | None = None,
    ):
        if not 0 <= ambiguity <= 0.5 or not distance > 0 or not (near is None or near > 0):
            raise ValueError(
                f"ambiguity={ambiguity}, distance={distance}, near={near}; "
                "allowed: 0 to 0.5, and above 0"
            )
        if renderer.exemplars_a_symbol != 1:
            raise ValueError(
                f"{renderer.exemplars_a_symbol} exemplars a symbol; templates need one"
            )
        self.renderer = renderer
        self.ambiguity, self.distance, self.near = ambiguity, distance, near
        self.templates = renderer.atoms[:, 0]
        # Exact differences: a matrix product would round small gaps away.
        exactly = "donot_use_mm_for_euclid_dist"
        gaps = torch.cdist(self.templates, self.templates, compute_mode=exactly)
        self.gaps = gaps.fill_diagonal_(inf)
        if not 0 < self.gaps.min() < inf:
            raise ValueError(
                f"{len(gaps)} templates, not all distinct; reading needs two or more that are"
            )

    def __call__(self, signals: Tensor) -> Tensor:
        """Tokens int64 [B, L] of signals `[B, *shape]`, −1 where refused."""
        cells = cells_of(self.renderer, signals)
        templates, gaps = self.templates.to(cells), self.gaps.to(cells)
        # Matched filters: the largest match is the nearest template, and half the difference of two
        # squared distances is the difference of the matches.
        match = cells @ templates.T - templates.square().sum(1) / 2
        best, token = match.max(-1)
        gaps = gaps[token]  # from the nearest template, [B, L, K]
        projection = 0.5 - (best[..., None] - match) / gaps.square()
        # The gap to the nearest template itself is infinite: that projection must not count.
        furthest = projection.masked_fill(gaps.isinf(), -inf).amax(-1)
        away = (cells - templates[token]).norm(dim=-1)
        reach = self.near * cells.shape[-1] ** 0.5 if self.near else self.distance * gaps.amin(-1)
        clear = (furthest <= self.ambiguity) & (away <= reach)  # False for NaN
        return token.where(clear, -1)


class PictureReader:
    """Reads a picture as the nearest known one, or else cell by cell.

    As a whole it is read as by `Templates` with the bound `near`, among the renderer's pictures. If
    that refuses and there are several cells, each is read as the nearest of the cells that occur in
    its place, within the same bound: symbols of different pictures, put together. A cell need not
    be clearly nearer than others, since different pictures may well share it (a blank corner, a
    common radical). So a picture that leans a little too far towards another one to be read as a
    whole may still be read by its cells.

    Attributes:
        renderer: shows the pictures.
        near: root mean square distance a pixel, above 0.
        whole: reads whole pictures.

    Raises:
        ValueError: for a bound that is not above 0.
    """

    def __init__(self, renderer: Pictures, near: float = NEAR):
        self.renderer, self.near = renderer, near
        whole = renderer.draw(renderer.strings, torch.zeros_like(renderer.strings))
        self.whole = Templates(Cells(whole.reshape(-1, 1, *renderer.shape[-2:]), (1, 1)), near=near)

    def __call__(self, signals: Tensor) -> Tensor:
        """Tokens int64 [B, L] of signals `[B, *shape]`, −1 where refused."""
        cells, strings = cells_of(self.renderer, signals), self.renderer.strings.to(signals.device)
        found = self.whole(signals)
        if self.renderer.length == 1:
            return strings[found[:, 0]].where(found >= 0, -1)
        known = self.renderer.atoms[self.renderer.strings.T, 0].to(cells)  # [L, n, h·w]
        away, nearest = torch.cdist(cells.transpose(0, 1), known).min(-1)  # [L, B]
        near = away / known.shape[-1] ** 0.5 <= self.near  # False for NaN
        tokens = strings.T.gather(1, nearest).where(near, -1).T
        return strings[found[:, 0]].where(found >= 0, tokens)


def known_pieces(
    signals: Tensor, pictures: Tensor, size: int, near: float = NEAR
) -> tuple[Tensor, Tensor]:
    """Which pieces of signals occur, in the same place, in some picture.

    It finds what was put together out of pieces, however small. Both are cut into squares, row by
    row.

    Args:
        signals: [B, 1, h, w].
        pictures: [n, 1, h, w].
        size: pixels of a square's side, which divides h and w.
        near: root mean square distance a pixel, up to which a piece counts as that of a picture.

    Returns:
        Two masks, bool [B, h·w/size²]. The first says whether a piece is known, the second whether
        it has ink at all (a pixel above 0), since a blank piece is known everywhere.

    Raises:
        ValueError: where `size` does not divide the sides, for signals and pictures of different
            shapes, and for no pictures.
    """
    if signals.ndim != 4 or signals.shape[1] != 1 or signals.shape[1:] != pictures.shape[1:]:
        raise ValueError(
            f"signals {tuple(signals.shape)}, pictures {tuple(pictures.shape)}; "
            "allowed: [B, 1, h, w], alike but for B"
        )
    if not len(pictures):
        raise ValueError("no pictures to compare with; allowed: at least one")
    if not isinstance(size, int) or size < 1 or any(side % size for side in signals.shape[2:]):
        raise ValueError(
            f"size={size}; allowed: what divides {signals.shape[2]} and {signals.shape[3]}"
        )
    pieces, known = (
        nn.functional.unfold(images, size, stride=size).permute(2, 0, 1)
        for images in (signals, pictures)
    )
    away = torch.cdist(pieces, known).amin(-1) / size
    return (away <= near).T, (pieces.amax(-1) > 0).T


def cells_of(renderer: Cells, signals: Tensor) -> Tensor:
    """The cells [B, L, h·w] of signals `[B, *shape]`. ValueError for signals of another shape."""
    if tuple(signals.shape[1:]) != tuple(renderer.shape):
        raise ValueError(
            f"signals of shape {tuple(signals.shape[1:])}; "
            f"the renderer's have {tuple(renderer.shape)}"
        )
    return renderer.split(signals)
