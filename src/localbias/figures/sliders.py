"""A picture that a slider changes, on a static page too: nothing here needs a kernel once the page is built.

The slider's value is linked in the browser (`jslink`) to the index of a stack of pictures, each a PNG with its label
above it. Python callbacks would work in a notebook but not on the site.
"""

import base64
import html
import io
import re
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

    frames  label -> a matplotlib figure, or the bytes of a PNG; a mapping, or pairs. Figures are rendered once, at
            their own dpi, and closed. Where a generator makes the pairs, no two figures are open at a time.
    name    what the slider moves along, such as "training step"; it stands beside it
    alt     what every picture shows, for those who cannot see it: its text is "alt: label". None is the name.
    start   the label to begin with; None is the first

    ValueError where there is no frame, two have one label, one is no picture or of another size than the first, or
    `start` is no label.
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

    # Imported here: whoever draws plain figures needs no widgets.
    import ipywidgets
    from ipywidgets import HTML, HBox, IntSlider, Layout, Stack, VBox

    # 100 % and the widgets' usual margin are more than the page is wide.
    whole = Layout(width="100%", margin="0")
    shown = [
        HTML(_figure(png, label, f"{alt or name}: {label}", width, height), layout=whole)
        for label, png in pictures.items()
    ]
    index = 0 if start is None else labels.index(start)
    stack = Stack(shown, selected_index=index, layout=whole)
    # Not its description: a page's mathjax 3 fails on those of static widgets. Not its readout: that is the index.
    knob = IntSlider(
        value=index, max=len(labels) - 1, readout=False, layout=Layout(flex="1 1 10em", margin="0")
    )
    ipywidgets.jslink((knob, "value"), (stack, "selected_index"))
    named = HTML(
        f"<span>{html.escape(name)}</span>", layout=Layout(width="auto", margin="0 0.75em 0 0")
    )
    row = HBox(
        [named, knob], layout=Layout(flex_flow="row wrap", align_items="center", padding="4px")
    )
    return VBox([row, stack], layout=whole).add_class("picture-slider")


def first_frame(widget: "VBox") -> bytes:
    """The picture that a slider begins with, as the bytes of a PNG."""
    _, stack = widget.children
    shown = stack.children[stack.selected_index].value
    return base64.b64decode(re.search(r"base64,([^\"]+)", shown)[1])


def _png(label: str, frame: Figure | bytes) -> bytes:
    if isinstance(frame, Figure):
        drawn, png = io.BytesIO(), io.BytesIO()
        frame.savefig(drawn, format="png")
        plt.close(frame)
        # A frame has few colours: a palette takes a third of the bytes, and every page carries all of its frames.
        Image.open(drawn).convert("RGB").quantize(256).save(png, format="png", optimize=True)
        return png.getvalue()
    if isinstance(frame, bytes) and frame.startswith(b"\x89PNG\r\n"):
        return frame
    raise ValueError(
        f"frame {label!r} is {type(frame).__name__}; it may be a matplotlib figure or the bytes of a PNG"
    )


def _figure(png: bytes, label: str, alt: str, width: int, height: int) -> str:
    """One frame as HTML: ipywidgets' own Image has no alternative text. It shrinks with the page, and never grows."""
    return (
        f'<figure style="margin: 0; padding: 0"><figcaption style="text-align: left">{html.escape(label)}</figcaption>'
        f'<img alt="{html.escape(alt)}" width="{width}" height="{height}" style="max-width: 100%; height: auto"'
        f' src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>'
    )
