"""On a GPU: what is read, trained and measured there is as on a CPU. Left out where there is none."""

import pytest
import torch

from localbias.diffusion import Denoiser
from localbias.experiments import catalogue, engine
from localbias.ldr import local_dependency_ratio

DEVICE = "cuda"
if not torch.cuda.is_available():
    pytest.skip("there is no CUDA GPU", allow_module_level=True)

# Each renderer with its reader.
READ = (
    "parity-8-scalars",
    "parity-8-unet-blocks",
    "parity-8-mlp-vectors",
    "quarter-unet-470",
    "words-unet-999",
    "lines-dit-30",
    "characters-unet-50",
    "modes-3",
    "shapes-unet",
)
# Each kind of network, and each way of measuring along training and after it.
RUN = ("parity-8-mlp-vectors", "quarter-token-dit-50", "characters-unet-50", "modes-3")


@pytest.mark.parametrize("name", READ)
def test_a_reader_reads_there_what_it_reads_here(name):
    setup = catalogue.setup(name, "smoke")
    signals = setup.draw(torch.Generator().manual_seed(0), 16)
    signals = torch.cat([signals, torch.randn(signals.shape)])
    assert torch.equal(setup.reader(signals.to(DEVICE)).cpu(), setup.reader(signals))


@pytest.mark.parametrize("name", RUN)
def test_an_experiment_runs_there_and_its_record_says_so(name, tmp_path):
    experiment = catalogue.make(name, "smoke")
    found, here = (
        engine.run(experiment, device, folder=tmp_path / device, runs=tmp_path)
        for device in (DEVICE, "cpu")
    )
    assert found.origin["processes"][0]["device"] == torch.cuda.get_device_name()
    assert found.arrays.keys() == here.arrays.keys()
    # The first step is one of the same weights, signals and noise.
    assert found.arrays["loss"][0] == pytest.approx(here.arrays["loss"][0], rel=1e-2)


@pytest.mark.parametrize("name", ["quarter-unet-470", "quarter-token-dit-50"])
def test_the_ratio_is_the_same_there(name):
    setup = catalogue.setup(name, "smoke")
    signals = torch.randn(4, *setup.renderer.shape, generator=torch.Generator().manual_seed(0))
    region, denoiser = setup.renderer.region(0), setup.denoiser().eval()
    with torch.no_grad():  # what begins at zero would hide half of the network
        for parameter in denoiser.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.1)

    def ratio(of: Denoiser, x: torch.Tensor) -> torch.Tensor:
        return local_dependency_ratio(lambda x_t: of(x_t, 300), x, region)

    here = ratio(denoiser, signals)
    there = ratio(denoiser.to(DEVICE), signals.to(DEVICE)).cpu()
    torch.testing.assert_close(there, here, atol=5e-3, rtol=0)
