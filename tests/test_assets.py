"""The embedded digits, words and characters, and the full MNIST as torchvision reads it."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from localbias import assets, autoload
from localbias.assets import digits, full_digits
from localbias.render.fonts import face


def write_idx(path, array):
    """The IDX format of MNIST: two zero bytes, type (8: unsigned byte), number of axes, big-endian sizes, data."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(
        size.to_bytes(4, "big") for size in array.shape
    )
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_embedded_digits():
    images = digits()
    assert images.shape == (10, 1000, 28, 28) and images.dtype == torch.uint8
    assert len(images.flatten(0, 1).flatten(1).unique(dim=0)) == 10_000
    assert images.amax((2, 3)).min() > 200  # every image has ink
    ink = images.float().mean((1, 2, 3))
    assert ink.argmax() == 0 and ink.argmin() == 1  # zeros have the most, ones the least
    height = torch.arange(28.0)[:, None]
    centre = (images * height).sum((2, 3)) / images.sum((2, 3))
    assert (centre - 14).abs().max() < 1.5  # MNIST centres each digit's mass


def test_embedded_digits_are_read_once():
    assert digits() is digits()


def test_words_are_the_papers_list():
    words = assets.words()
    assert len(words) == len(set(words)) == 999
    assert min(map(len, words)) == 1 and max(map(len, words)) == 14
    assert all(word.isascii() and word.replace("'", "").isalpha() for word in words)
    assert list(words) == sorted(words, key=lambda word: word.lower().replace("'", ""))


def test_characters_are_3000_of_one_sign():
    characters = assets.characters()
    assert len(characters) == len(set(characters)) == 3000
    assert all(len(c) == 1 and "\u4e00" <= c <= "\u9fff" for c in characters)


def test_the_kai_face_has_every_character():
    """A character that a font lacks is drawn as its sign for that, .notdef: as a code that is never assigned is."""
    font = face("kai", 40)

    def picture(character):
        mask, offset = font.getmask2(character, mode="L")
        return bytes(mask), mask.size, tuple(offset)

    missing = picture("\U0010ffff")
    assert picture("\u9fff") == missing  # one that the subset leaves out
    pictures = {picture(character) for character in assets.characters()}
    assert len(pictures) == 3000 and missing not in pictures


def mnist_files(folder):
    """A small MNIST as torchvision finds it; its training images and labels."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(10), [5, 4, 6, 5, 7, 3, 5, 5, 4, 6]))
    images = generator.integers(0, 256, (len(labels), 28, 28))
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):  # torchvision downloads unless all four files are there
        write_idx(raw / f"{part}-images-idx3-ubyte", images if part == "train" else images[:0])
        write_idx(raw / f"{part}-labels-idx1-ubyte", labels if part == "train" else labels[:0])
    return images, labels


def test_full_digits_are_grouped_and_cut_to_the_rarest_class(tmp_path):
    images, labels = mnist_files(tmp_path)
    found = full_digits(tmp_path)
    assert found.shape == (10, 3, 28, 28) and found.dtype == torch.uint8
    for digit in range(10):
        assert np.array_equal(found[digit], images[labels == digit][:3])


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize("kept", [0, 3, 11, 20, -1])
def test_a_truncated_download_is_named_with_the_way_out(file, kept, tmp_path):
    mnist_files(tmp_path)
    raw = tmp_path / "MNIST" / "raw"
    (raw / file).write_bytes((raw / file).read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"MNIST/raw.*delete that folder") as error:
        full_digits(tmp_path)
    assert str(raw) in str(error.value)


@pytest.mark.parametrize("line", ["from diffusers import UNet2DModel", "import torchvision"])
def test_torchvision_and_what_needs_it_can_be_imported_as_they_say(line):
    """Also beside a torch for the CPU alone, without which a torchvision built for CUDA stops."""
    subprocess.run([sys.executable, "-c", line], check=True, capture_output=True, text=True)


def test_operators_that_torchvision_can_load_are_left_to_it(monkeypatch):
    monkeypatch.setattr(autoload, "_KEPT", kept := [])
    monkeypatch.setattr(autoload, "_loads", lambda torch, library: True)
    autoload.name_operators()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(autoload, "_loads", lambda torch, library: False)
    autoload.name_operators()
    assert not kept
