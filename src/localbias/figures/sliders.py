"""A picture that a slider changes, on a static page too: it needs no kernel once the page is built.

It is plain HTML: the browser's own slider and a stack of pictures, of which one is shown. So it
needs no script but the line that moves it, works by keys, and tells a screen reader the label.
"""

import base64
import html
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from localbias.figures.png import shrink

Frames = Mapping[str, Figure | bytes] | Iterable[tuple[str, Figure | bytes]]

#: What the slider does when it moves: shows one picture, and tells its label.
MOVE = (
    "const all = this.closest('.picture-slider').querySelectorAll('figure');"
    "all.forEach((one, place) => one.hidden = place != this.value);"
    "this.setAttribute('aria-valuetext', all[this.value].innerText.trim())"
)


@dataclass(frozen=True)
class Slider:
    """A slider over pictures; a notebook shows it as HTML.

    Attributes:
        pictures: label -> PNG, in the slider's order.
        name: what the slider moves along.
        alt: what all pictures show, in words.
        index: of the picture to begin with.
    """

    pictures: dict[str, bytes]
    name: str
    alt: str
    index: int

    @property
    def first_frame(self) -> bytes:
        """The picture that the slider begins with, as the bytes of a PNG."""
        return list(self.pictures.values())[self.index]

    def __repr__(self) -> str:
        return f"<slider over {len(self.pictures)} pictures: {self.name}>"

    def _repr_html_(self) -> str:
        labels = list(self.pictures)
        width, height = _size(self.first_frame)
        shown = "".join(
            _figure(png, label, f"{self.alt}: {label}", width, height, place != self.index)
            for place, (label, png) in enumerate(self.pictures.items())
        )
        return (
            '<div class="picture-slider">'
            '<label style="display: flex; flex-wrap: wrap; gap: 0.75em">'
            f"<span>{html.escape(self.name)}</span>"
            f'<input type="range" min="0" max="{len(labels) - 1}" value="{self.index}"'
            ' autocomplete="off" style="flex: 1 1 10em"'
            f' aria-valuetext="{html.escape(labels[self.index])}" oninput="{MOVE}"></label>'
            f"{shown}</div>"
        )


def slider(frames: Frames, name: str, alt: str | None = None, start: str | None = None) -> Slider:
    """A slider over pictures of one size, with the label of the one that is shown.

    Args:
        frames: label -> a matplotlib figure, or the bytes of a PNG; a mapping, or pairs. Figures
            are rendered once, at their own dpi, and closed. Where a generator makes the pairs, no
            two figures are open at a time.
        name: what the slider moves along, such as "training step"; it stands beside it.
        alt: what all pictures show, for those who cannot see them: a picture's text is
            "alt: label". None: the name.
        start: the label to begin with; None: the first.

    Raises:
        ValueError: where there is no frame, two have one label, one is no picture or of another
            size than the first, or `start` is no label.
    """
    pictures: dict[str, bytes] = {}
    for label, frame in frames.items() if isinstance(frames, Mapping) else frames:
        if label in pictures:
            raise ValueError(f"two frames have the label {label!r}; a label stands for one")
        pictures[label] = _png(label, frame)
    if not pictures:
        raise ValueError(f"no frames for the slider {name!r}; it takes one or more")
    labels = list(pictures)
    if start not in (None, *labels):
        raise ValueError(
            f"no frame {start!r} to start with; there are: {', '.join(map(repr, labels))}"
        )
    sizes = {label: _size(png) for label, png in pictures.items()}
    width, height = sizes[labels[0]]
    for label, (w, h) in sizes.items():
        if (w, h) != (width, height):  # the page below would jump
            raise ValueError(
                f"frame {label!r} is {w} × {h} pixels; as the first, it may be {width} × {height}"
            )

    index = 0 if start is None else labels.index(start)
    return Slider(pictures, name, alt or name, index)


def _size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, in pixels."""
    return Image.open(io.BytesIO(png)).size


def _png(label: str, frame: Figure | bytes) -> bytes:
    """The bytes of a frame's PNG; a figure is closed. ValueError for what is neither."""
    if isinstance(frame, Figure):
        drawn = io.BytesIO()
        frame.savefig(drawn, format="png")
        plt.close(frame)
        return shrink(drawn.getvalue())
    if isinstance(frame, bytes) and frame.startswith(b"\x89PNG\r\n"):
        return frame
    raise ValueError(
        f"frame {label!r} is {type(frame).__name__}; "
        "it may be a matplotlib figure or the bytes of a PNG"
    )


def _figure(png: bytes, label: str, alt: str, width: int, height: int, hidden: bool) -> str:
    """One frame as HTML. It shrinks with the page, and never grows."""
    encoded = base64.b64encode(png).decode()
    return (
        f'<figure style="margin: 0; padding: 0"{" hidden" * hidden}>'
        f'<figcaption style="text-align: left">{html.escape(label)}</figcaption>'
        f'<img alt="{html.escape(alt)}" width="{width}" height="{height}"'
        ' style="max-width: 100%; height: auto"'
        f' src="data:image/png;base64,{encoded}"></figure>'
    )
