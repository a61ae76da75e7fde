"""A picture that a slider changes, on a static page too: it needs no kernel once the page is built.

The slider's value is linked in the browser (`jslink`) to the index of a stack of pictures, each a
PNG with its label above it. Python callbacks would work in a notebook but not on the site.
"""

import base64
import html
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

if TYPE_CHECKING:
    from ipywidgets import VBox

Frames = Mapping[str, Figure | bytes] | Iterable[tuple[str, Figure | bytes]]


def slider(frames: Frames, name: str, alt: str | None = None, start: str | None = None) -> "VBox":
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
    sizes = {label: Image.open(io.BytesIO(png)).size for label, png in pictures.items()}
    width, height = sizes[labels[0]]
    for label, (w, h) in sizes.items():
        if (w, h) != (width, height):  # the page below would jump
            raise ValueError(
                f"frame {label!r} is {w} × {h} pixels; as the first, it may be {width} × {height}"
            )

    index = 0 if start is None else labels.index(start)
    shown = [
        _figure(png, label, f"{alt or name}: {label}", width, height)
        for label, png in pictures.items()
    ]
    return _widget(shown, index, name)


def first_frame(widget: "VBox") -> bytes:
    """The picture that a slider begins with, as the bytes of a PNG."""
    _, stack = widget.children
    shown = stack.children[stack.selected_index].value
    _, _, encoded = shown.partition("base64,")
    return base64.b64decode(encoded.partition('"')[0])


def _widget(shown: list[str], index: int, name: str) -> "VBox":
    """The slider with its name, above the stack of frames.

    Args:
        shown: the frames as HTML.
        index: of the first one that is shown.
        name: of the slider.
    """
    # Imported here: plain figures need no widgets.
    import ipywidgets
    from ipywidgets import HTML, HBox, IntSlider, Layout, Stack, VBox

    # The widgets' usual margin beside a width of 100 % would be wider than the page.
    whole = Layout(width="100%", margin="0")
    frames = [HTML(frame, layout=whole) for frame in shown]
    stack = Stack(frames, selected_index=index, layout=whole)
    # Without a description: a page's mathjax 3 fails on those of static widgets. Without a readout:
    # it would show the index.
    knob = IntSlider(
        value=index, max=len(frames) - 1, readout=False, layout=Layout(flex="1 1 10em", margin="0")
    )
    ipywidgets.jslink((knob, "value"), (stack, "selected_index"))
    beside = Layout(width="auto", margin="0 0.75em 0 0")
    named = HTML(f"<span>{html.escape(name)}</span>", layout=beside)
    row = HBox(
        [named, knob], layout=Layout(flex_flow="row wrap", align_items="center", padding="4px")
    )
    return VBox([row, stack], layout=whole).add_class("picture-slider")


def _png(label: str, frame: Figure | bytes) -> bytes:
    """The bytes of a frame's PNG; a figure is closed. ValueError for what is neither."""
    if isinstance(frame, Figure):
        drawn, png = io.BytesIO(), io.BytesIO()
        frame.savefig(drawn, format="png")
        plt.close(frame)
        # A frame has few colours: a palette takes a third of the bytes, and a page carries all its
        # frames.
        Image.open(drawn).convert("RGB").quantize(256).save(png, format="png", optimize=True)
        return png.getvalue()
    if isinstance(frame, bytes) and frame.startswith(b"\x89PNG\r\n"):
        return frame
    raise ValueError(
        f"frame {label!r} is {type(frame).__name__}; "
        "it may be a matplotlib figure or the bytes of a PNG"
    )


def _figure(png: bytes, label: str, alt: str, width: int, height: int) -> str:
    """One frame as HTML, since ipywidgets' own Image has no alternative text.

    It shrinks with the page, and never grows.
    """
    encoded = base64.b64encode(png).decode()
    return (
        '<figure style="margin: 0; padding: 0">'
        f'<figcaption style="text-align: left">{html.escape(label)}</figcaption>'
        f'<img alt="{html.escape(alt)}" width="{width}" height="{height}"'
        ' style="max-width: 100%; height: auto"'
        f' src="data:image/png;base64,{encoded}"></figure>'
    )
