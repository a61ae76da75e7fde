"""The UNet against the library whose default the paper describes."""

import pytest
import torch

from localbias.networks.unet import Attention, LinearAttention, UNet


@pytest.fixture(scope="module")
def library():
    """denoising-diffusion-pytorch; its torchvision may need a hand to import beside a CPU-only torch."""
    import denoising_diffusion_pytorch

    return denoising_diffusion_pytorch


def pairs(ours, theirs):
    """Modules of the two networks that hold the same weights, registered in the same order."""
    yield ours.first, theirs.init_conv
    yield ours.time, theirs.time_mlp
    for stage, blocks in [*zip(ours.down, theirs.downs), *zip(ours.up, theirs.ups)]:
        yield from zip([stage.block1, stage.block2, stage.attention, stage.resample], blocks)
    yield ours.middle1, theirs.mid_block1
    yield ours.middle_attention, theirs.mid_attn
    yield ours.middle2, theirs.mid_block2
    yield ours.last_block, theirs.final_res_block
    yield ours.last, theirs.final_conv


@torch.no_grad()
def copy_into(ours, theirs):
    """Give the library's network all of our weights."""
    copied = 0
    for mine, other in pairs(ours, theirs):
        for source, target in zip(mine.parameters(), other.parameters(), strict=True):
            if source is getattr(mine, "memory", None) and not isinstance(mine, LinearAttention):
                source = (
                    source.mT
                )  # the library keeps the tokens of its full attention the other way round
            assert source.squeeze().shape == target.squeeze().shape
            target.copy_(source.view_as(target) if source.ndim < target.ndim else source)
            copied += target.numel()
    assert copied == sum(parameter.numel() for parameter in theirs.parameters())


@pytest.mark.parametrize(
    "channels, mults, size",
    [
        (1, (1, 2, 4), (28, 28)),
        (3, (1, 2), (8, 14)),
        (1, (2,), (5, 3)),
    ],
)
def test_agrees_with_denoising_diffusion_pytorch(library, channels, mults, size):
    torch.manual_seed(0)
    ours = UNet(channels, width=16, mults=mults)
    theirs = library.Unet(dim=16, dim_mults=mults, channels=channels)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    copy_into(ours, theirs)
    x, t = torch.randn(3, channels, *size), torch.tensor([0, 400, 999])
    expected = theirs(x, t)
    assert expected.std() > 0.1
    assert torch.allclose(ours(x, t), expected, atol=1e-5)


def test_default_is_the_papers_network(library):
    with torch.device("meta"):
        ours, theirs = UNet(channels=1), library.Unet(dim=64, channels=1)
    shapes = [[sorted(p.numel() for p in network.parameters())] for network in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert sum(parameter.numel() for parameter in ours.parameters()) == 35_705_089


def test_attention_is_full_only_where_the_image_is_small():
    """At 28 x 28: linear at 28 and 14, full at 7 going down, in the middle and going up."""
    network = UNet(1, width=8, mults=(1, 2, 4), heads=2, head_width=4)
    seen = []
    for module in network.modules():
        if isinstance(module, Attention):
            module.register_forward_hook(
                lambda module, x, _: seen.append((type(module), x[0].shape[-1]))
            )
    network(torch.randn(1, 1, 28, 28), torch.tensor([5]))
    assert seen == [
        (LinearAttention, 28),
        (LinearAttention, 14),
        (Attention, 7),
        (Attention, 7),
        (Attention, 7),
        (LinearAttention, 14),
        (LinearAttention, 28),
    ]


def test_image_that_cannot_be_halved_is_refused():
    network = UNet(1, width=8, mults=(1, 2, 4), heads=1, head_width=4)
    with pytest.raises(ValueError, match=r"\(28, 30\).*multiples of 4"):
        network(torch.randn(1, 1, 28, 30), torch.tensor([0]))
