"""The book's first picture: a training that one can move through, as a piece of HTML.

Its pictures are the record's own pixels, a few hundred bytes each, and what is written is text of
the page, so that it can be read on a phone and on a dark ground. The slider is one of HTML, moved
by `book/_static/map.js`.
"""

import base64
import io
from collections.abc import Sequence
from html import escape

import matplotlib
import numpy as np
from PIL import Image

from localbias.experiments import Moment, Results, catalogue
from localbias.measure import OUTCOMES

EXPERIMENT, LEVEL, SEEDS = "short-words-unet-30", 0.2, (0,)
SHOWN = 8  # samples of each moment
#: What one of the outcomes is called where the samples are words.
WORDS = dict(zip(OUTCOMES, ("unreadable", "no such word", "trained on", "a new word")))


def results() -> Results:
    """The training that the first page shows.

    Raises:
        ValueError: where there is no record of it.
    """
    records = catalogue.found(EXPERIMENT, "laptop", SEEDS)
    if not records:
        raise ValueError(f"no record of {EXPERIMENT!r}, which the book's first page shows")
    return Results(records)


def opening(shown: Results) -> str:
    """The HTML of the whole picture; of its steps it begins at that of most hallucinations."""
    moments = shown.moments(LEVEL, SHOWN)
    start = max(range(len(moments)), key=lambda row: moments[row].shares[1])
    texts = [shown.setup.grammar.text(tokens[:SHOWN]) for tokens in shown.tokens()]
    blocks = (
        _moment(moment, words, hidden=row != start)
        for row, (moment, words) in enumerate(zip(moments, texts))
    )
    knob = (
        '<div class="knob"><label for="opening-step">Move through the training:</label>'
        f'<input type="range" id="opening-step" min="0" max="{len(moments) - 1}" value="{start}" '
        f'disabled><output for="opening-step">step {moments[start].step:,}</output></div>'
    )
    return f'<figure class="opening">{knob}{"".join(blocks)}</figure>'


def _moment(moment: Moment, words: Sequence[str], hidden: bool) -> str:
    """One measured step: what is drawn, and who listens."""
    drawn = "".join(
        f'<li class="{_name(kind)}">{_image(image, _reading(word, kind))}'
        f"{WORDS[OUTCOMES[kind]]}</li>"
        for image, word, kind in zip(moment.samples, words, moment.outcomes)
    )
    shares = "".join(
        f'<span class="{_name(kind)}" style="width: {share:.1%}"></span>'
        for kind, share in enumerate(moment.shares)
    )
    listed = ", ".join(
        f"{share:.0%} {WORDS[OUTCOMES[kind]]}" for kind, share in enumerate(moment.shares)
    )
    heat = _image(_coloured(moment.brightness), "Heat: where the first letter's prediction listens")
    width = moment.heat.region.any(0).mean()
    noised = _image(_grey(moment.heat.images["x_t"]), "A noised word")
    denoised = _image(_grey(moment.heat.images["x̂0"]), "What the network makes of it")
    return (
        f'<div class="moment" data-step="step {moment.step:,}"{" hidden" * hidden}>'
        f'<div><h2>What it draws</h2><ul class="drawn">{drawn}</ul>'
        f'<div class="shares" aria-hidden="true">{shares}</div>'
        f"<p>Of all samples: {listed}.</p></div>"
        f"<div><h2>What the first letter listens to</h2>"
        f"<p>A noised word, and what the network makes of it:</p>"
        f'<div class="pair">{noised}{denoised}</div>'
        f"<p>What decides the first letter (framed); darker is more:</p>"
        f'<div class="heat">{heat}<i style="width: {width:.1%}"></i></div>'
        f'<div class="ratio" aria-hidden="true">'
        f'<span style="width: {moment.ratio:.1%}"></span></div>'
        f"<p>{moment.ratio:.0%} of it lies in the letter's own place: the <em>local dependency "
        f"ratio</em>.</p></div></div>"
    )


def _name(kind: int) -> str:
    """The class of an outcome."""
    return OUTCOMES[kind].replace(" ", "-")


def _reading(word: str, kind: int) -> str:
    """A sample for those who cannot see it."""
    return "Not readable" if OUTCOMES[kind] == "invalid" else f"Reads “{word.strip()}”"


def _grey(image: np.ndarray) -> np.ndarray:
    """uint8 of a signal in [−1, 1]."""
    return (127.5 * (image.clip(-1, 1) + 1)).round().astype(np.uint8)


def _coloured(brightness: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] of a heat in [0, 1]."""
    return matplotlib.colormaps["magma_r"](brightness, bytes=True)[..., :3]


def _image(pixels: np.ndarray, alt: str) -> str:
    """An image of HTML that holds its own PNG."""
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG", optimize=True)
    height, width = pixels.shape[:2]
    encoded = base64.b64encode(png.getvalue()).decode()
    return (
        f'<img class="dark-light" alt="{escape(alt)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{encoded}">'
    )
