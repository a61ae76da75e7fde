"""The command `recent`, on tiny pipelines."""

import json
import re
import subprocess
import sys

import pytest

from localbias import cli

TINY = ("--tier", "smoke", "--seed", 0, "--prompt", "A word", "--steps", 2, "--level", 0.3)


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command: its exit status, or the message it ends with, and what it prints."""

    def call(*arguments):
        command = ["localbias", "recent", tmp_path / "out", *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model", "sd-9"], "unknown model 'sd-9'; known: sd-3.5-medium, flux.1-dev"),
        (["--tier", "laptop"], "unknown tier 'laptop'; known: smoke, paper"),
        (["--weights", "mine"], "--weights is of one model"),
        (["--region", "1,2"], "region='1,2'; allowed: left,top,right,bottom"),
        (["--size", "1000"], "settings.size=1000; allowed: multiples of 16"),
        (["--device", "tpu"], "device='tpu'; allowed: auto, cpu"),
        (["--seed", "-1", "--tier", "smoke"], "seed=-1; allowed: whole numbers from 0"),
    ],
)
def test_what_cannot_be_drawn_is_named_and_nothing_made(arguments, message, call, tmp_path):
    code, out, _ = call(*arguments)
    assert code.startswith(f"localbias: {message}") and out == ""
    assert not (tmp_path / "out").exists()


def test_a_library_that_is_missing_is_one_line(call, monkeypatch):
    from localbias.experiments import pretrained

    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    code, *_ = call(*TINY)
    assert code == (
        "localbias: recent models need accelerate and diffusers and transformers: "
        "pip install -e '.[book,models]' -c constraints.txt"
    )


def test_the_command_starts_without_the_big_libraries():
    code = (
        "import sys, localbias.cli; from localbias.experiments import recent;"
        "assert not {'transformers', 'diffusers', 'tesserocr'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_pictures_are_drawn_once_and_told(call, tmp_path):
    pytest.importorskip("transformers", reason="transformers is not installed: '.[models]'")
    code, out, err = call(*TINY)
    assert code == 0 and "GPU" not in err
    for name in ("sd-3.5-medium", "flux.1-dev"):
        assert f"{name}, weights random: 2 steps" in out
        stored = json.loads((tmp_path / "out" / name / "pictures.json").read_text(encoding="utf-8"))
        (picture,) = stored["pictures"]
        assert (tmp_path / "out" / name / picture["file"]).exists()
        assert f"{picture['levels'][0]['x0']['ratio']:.3f}" in out
    assert out.count("chance 0.125") == 2 and out.count("no word was read; 1 pictures without") == 2
    assert len(re.findall(r"mean of levels +over pictures - +within prompts -$", out, re.M)) == 2
    drawn = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}
    assert call(*TINY) == (0, out, "")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")} == drawn
    other, *_ = call(*TINY, "--probes", 7)
    assert re.match(r"localbias: .*pictures of probes=4, not 7; name another folder", other)


def test_weights_of_ones_own_are_loaded_and_a_cpu_is_warned_of(call, tmp_path, monkeypatch):
    pytest.importorskip("transformers", reason="transformers is not installed: '.[models]'")
    from localbias.experiments import pretrained, tiny

    monkeypatch.setattr(pretrained, "operations", lambda model: (2 * 10**9, 3e13, 6e13))
    tiny.pipeline("FluxPipeline").save_pretrained(tmp_path / "mine")
    arguments = [*TINY[2:], "--model", "flux.1-dev", "--weights", tmp_path / "mine"]
    code, out, err = call(*arguments, "--size", 64, "--device", "cpu")
    assert code == 0 and f"flux.1-dev, weights {tmp_path / 'mine'}: 2 steps" in out
    assert "in the region 24,24,40,40" in out and "chance 0.062" in out
    warned = (
        "no GPU here. 1 pictures by flux.1-dev (2.0 billion parameters) are about 9e+13 operations"
    )
    assert warned in err and "an estimate; at 1e+11 a second they take 15 minutes" in err
