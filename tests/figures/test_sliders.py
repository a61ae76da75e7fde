"""The slider's pictures: rendered once, of one size, told in words, and linked to the slider in the browser."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from ipywidgets.embed import dependency_state
from PIL import Image

from localbias.figures import slider

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


def parts(widget):
    """Of a slider: the name's HTML, the slider itself, the stack of pictures."""
    row, stack = widget.children
    return *row.children, stack


def images(widget):
    return [BeautifulSoup(child.value, "html.parser").img for child in parts(widget)[2].children]


def decoded(image):
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_each_frame_is_its_figure_with_its_label_and_a_text():
    widget = slider(
        {label: square(colour) for label, colour in COLOURS.items()}, "step", "What the cell reads"
    )
    captions = [
        BeautifulSoup(child.value, "html.parser").figcaption.text
        for child in parts(widget)[2].children
    ]
    assert captions == list(COLOURS)
    for image, (label, colour) in zip(images(widget), COLOURS.items(), strict=True):
        assert image["alt"] == f"What the cell reads: {label}"
        assert decoded(image).convert("RGB").getpixel((100, 50)) == colour
        assert decoded(image).size == (int(image["width"]), int(image["height"])) == (200, 100)


def test_the_slider_is_linked_to_the_pictures_without_python():
    widget = slider(
        {label: square(colour) for label, colour in COLOURS.items()}, "step", start="step 240"
    )
    _, knob, stack = parts(widget)
    assert (knob.min, knob.max, knob.step, knob.value, stack.selected_index) == (0, 2, 1, 1, 1)
    state = dependency_state([widget])
    links = [model["state"] for model in state.values() if model["model_name"] == "LinkModel"]
    assert [(link["source"], link["target"]) for link in links] == [
        ([f"IPY_MODEL_{knob.model_id}", "value"], [f"IPY_MODEL_{stack.model_id}", "selected_index"])
    ]
    # A description is typeset by mathjax, whose version 3 the widgets of a static page do not know.
    assert not [model for model in state.values() if model["state"].get("description")]


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
    name, knob, stack = parts(widget)
    assert BeautifulSoup(name.value, "html.parser").text == "<i>"
    assert images(widget)[0]["alt"] == '<i>: <b> & "ε"'
    assert BeautifulSoup(stack.children[0].value, "html.parser").figcaption.text == '<b> & "ε"'
    assert base64.b64decode(images(widget)[0]["src"].partition(",")[2]) == data
    assert (knob.max, stack.selected_index) == (0, 0)


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
