"""The slider's pictures: rendered once, of one size, told in words, and moved by the browser's own slider."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from localbias.figures import slider
from localbias.figures.png import shrink

COLOURS = {"step 0": (255, 0, 0), "step 240": (0, 255, 0), "step 4000": (0, 0, 255)}


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    left = plt.get_fignums()
    plt.close("all")
    assert not left


def square(colour, size=(4, 2)):
    return plt.figure(figsize=size, dpi=50, facecolor=np.divide(colour, 255))


def png(width, height):
    data = io.BytesIO()
    Image.new("RGB", (width, height)).save(data, "PNG")
    return data.getvalue()


def shown(slider):
    """The slider's HTML, as a notebook shows it."""
    return BeautifulSoup(slider._repr_html_(), "html.parser")


def images(slider):
    return shown(slider).select("img")


def decoded(image):
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_each_frame_is_its_figure_with_its_label_and_a_text():
    widget = slider(
        {label: square(colour) for label, colour in COLOURS.items()}, "step", "What the cell reads"
    )
    captions = [caption.text for caption in shown(widget).select("figcaption")]
    assert captions == list(COLOURS)
    for image, (label, colour) in zip(images(widget), COLOURS.items(), strict=True):
        assert image["alt"] == f"What the cell reads: {label}"
        assert decoded(image).convert("RGB").getpixel((100, 50)) == colour
        assert decoded(image).size == (int(image["width"]), int(image["height"])) == (200, 100)


def test_one_picture_is_shown_and_the_slider_says_which():
    made = slider(
        {label: square(colour) for label, colour in COLOURS.items()}, "step", start="step 240"
    )
    page = shown(made)
    (knob,) = page.select("input")
    assert (knob["min"], knob["max"], knob["value"]) == ("0", "2", "1")
    assert knob["aria-valuetext"] == "step 240" and knob.find_parent("label").text == "step"
    assert [figure.has_attr("hidden") for figure in page.select("figure")] == [True, False, True]
    assert made.first_frame == made.pictures["step 240"]
    assert repr(made) == "<slider over 3 pictures: step>"  # the same on every machine


def test_of_a_generator_no_two_figures_are_open_at_a_time():
    def frames():
        for label, colour in COLOURS.items():
            assert plt.get_fignums() == []
            yield label, square(colour)

    assert [image["alt"] for image in images(slider(frames(), "step"))] == [
        f"step: {label}" for label in COLOURS
    ]


def test_png_bytes_are_shown_as_they_are_and_words_are_no_markup():
    data = png(3, 2)
    widget = slider({'<b> & "ε"': data}, "<i>", start='<b> & "ε"')
    page = shown(widget)
    assert page.label.text == "<i>"
    assert page.img["alt"] == '<i>: <b> & "ε"'
    assert page.figcaption.text == page.input["aria-valuetext"] == '<b> & "ε"'
    assert base64.b64decode(page.img["src"].partition(",")[2]) == data
    assert page.input["max"] == "0"


@pytest.mark.parametrize(
    "frames, start, message",
    [
        ({}, None, "no frames for the slider 'step'; it takes one or more"),
        ([("a", png(2, 2)), ("a", png(2, 2))], None, "two frames have the label 'a'"),
        (
            {"a": png(4, 2), "b": png(4, 3)},
            None,
            "frame 'b' is 4 × 3 pixels; as the first, it may be 4 × 2",
        ),
        (
            {"a": b"JFIF"},
            None,
            "frame 'a' is bytes; it may be a matplotlib figure or the bytes of a PNG",
        ),
        ({"a": "a.png"}, None, "frame 'a' is str; it may be"),
        ({"a": png(2, 2), "b": png(2, 2)}, "c", "no frame 'c' to start with; there are: 'a', 'b'"),
    ],
)
def test_what_cannot_be_shown_is_refused(frames, start, message):
    with pytest.raises(ValueError, match=message):
        slider(frames, "step", start=start)


def test_a_picture_shrinks_and_keeps_its_look_and_its_transparency():
    figure = plt.figure(figsize=(4, 3), facecolor="none")
    figure.add_subplot(facecolor="none").plot([1, 3, 2], color="#0072B2", linewidth=6)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", facecolor="none")
    plt.close(figure)
    before, after = drawn.getvalue(), shrink(drawn.getvalue())
    assert len(after) < 0.6 * len(before) and shrink(after) == after
    wide, small = (
        np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")) for png in (before, after)
    )
    assert small[0, 0, 3] == 0 and np.abs(wide[..., 3].astype(int) - small[..., 3]).max() < 40
    for ground in (0, 255):  # on either page it looks the same
        alike = [
            part[..., 3:] / 255 * part[..., :3] + (1 - part[..., 3:] / 255) * ground
            for part in (wide, small)
        ]
        assert np.abs(alike[0] - alike[1]).mean() < 1
