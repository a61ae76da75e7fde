"""The DiT against calculations of its parts by other means."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from localbias.networks.dit import Block, DiT, grid_positions


def perturbed(network):
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def test_default_is_dit_s_8():
    network = DiT(image_size=64, channels=1)
    assert sum(parameter.numel() for parameter in network.parameters()) == 32_536_000
    assert (
        sum(p.numel() for p in network.parameters() if p.requires_grad) == 32_536_000 - 8 * 8 * 384
    )
    assert sum(parameter.numel() for parameter in network.blocks.parameters()) == 12 * 2_659_968


def test_positions_are_fixed_sines_and_cosines_of_column_and_row():
    frequencies = 10_000.0 ** (-np.arange(4) / 4)
    column, row = np.tile(np.arange(3), 2), np.repeat(np.arange(2), 3)
    expected = [
        f(index[:, None] * frequencies) for index in (column, row) for f in (np.sin, np.cos)
    ]
    assert np.allclose(grid_positions(2, 3, 16), np.concatenate(expected, axis=1), atol=1e-6)
    assert torch.equal(
        DiT((8, 12), patch=4, width=16, depth=1, heads=2).positions, grid_positions(2, 3, 16)
    )


def test_starts_as_zero_with_blocks_that_change_nothing():
    torch.manual_seed(0)
    network = DiT(8, patch=4, width=16, depth=2, heads=2)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 900])
    assert torch.equal(network(x, t), torch.zeros_like(x))
    tokens = torch.randn(2, 4, 16)
    assert torch.equal(network.blocks[0](tokens, torch.randn(2, 16)), tokens)
    network(x, t).square().sum().backward()
    assert network.positions.grad is None


def test_block_agrees_with_multihead_attention():
    block = perturbed(Block(width=16, heads=4, mlp_ratio=2)).double()
    attention = nn.MultiheadAttention(16, 4, batch_first=True, dtype=torch.float64)
    attention.load_state_dict(
        {
            "in_proj_weight": block.qkv.weight,
            "in_proj_bias": block.qkv.bias,
            "out_proj.weight": block.out.weight,
            "out_proj.bias": block.out.bias,
        }
    )
    x, time = torch.randn(3, 5, 16, dtype=torch.float64), torch.randn(3, 16, dtype=torch.float64)

    def normalised(h):
        return (h - h.mean(-1, keepdim=True)) / (
            h.var(-1, unbiased=False, keepdim=True) + 1e-6
        ).sqrt()

    for i in range(3):
        weights = block.modulation.weight @ (time[i] * time[i].sigmoid()) + block.modulation.bias
        shift1, scale1, gate1, shift2, scale2, gate2 = weights.view(6, 16)
        h = normalised(x[i]) * (1 + scale1) + shift1
        h = x[i] + gate1 * attention(h[None], h[None], h[None], need_weights=False)[0][0]
        hidden = (normalised(h) * (1 + scale2) + shift2) @ block.mlp[0].weight.T + block.mlp[0].bias
        hidden = (
            0.5 * hidden * (1 + torch.tanh((2 / np.pi) ** 0.5 * (hidden + 0.044715 * hidden**3)))
        )
        h = h + gate2 * (hidden @ block.mlp[2].weight.T + block.mlp[2].bias)
        assert torch.allclose(block(x, time)[i], h, atol=1e-12)


def test_without_blocks_each_patch_is_a_linear_readout_of_itself():
    """Patches go in and out in the same order: first and last layer by hand, on a colour rectangle."""
    network = perturbed(DiT((4, 6), channels=3, patch=2, width=16, depth=1, heads=2)).double()
    network.blocks = nn.ModuleList()
    x, t = torch.randn(1, 3, 4, 6, dtype=torch.float64), torch.tensor([40])
    y = network(x, t)
    shift, scale = network.modulation(F.silu(network.time(t)))[0].chunk(2)
    for row in range(2):
        for column in range(3):
            cell = (0, slice(None), slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2))
            h = network.first(x[cell].flatten()) + network.positions[3 * row + column]
            h = (h - h.mean()) / (h.var(unbiased=False) + 1e-6).sqrt() * (1 + scale) + shift
            assert torch.allclose(y[cell].flatten(), network.last(h), atol=1e-12)


def test_only_the_positions_tell_patches_apart():
    network = perturbed(DiT(8, patch=2, width=16, depth=2, heads=2)).double()
    x, t = torch.randn(2, 1, 8, 8, dtype=torch.float64), torch.tensor([10, 600])

    def shifted(
        image,
    ):  # one patch down, two to the right, round the edges: a permutation of the patches
        return image.roll((2, 4), dims=(2, 3))

    assert (network(shifted(x), t) - shifted(network(x, t))).abs().max() > 1e-2
    with torch.no_grad():
        network.positions.zero_()
    assert torch.allclose(network(shifted(x), t), shifted(network(x, t)), atol=1e-12)


def test_image_of_another_size_is_refused():
    network = DiT((8, 12), patch=4, width=16, depth=1, heads=2)
    with pytest.raises(ValueError, match=r"\(1, 12, 8\).*\(1, 8, 12\)"):
        network(torch.zeros(1, 1, 12, 8), torch.tensor([0]))


def test_positions_farther_apart_or_at_random_change_nothing_else():
    torch.manual_seed(0)
    near = DiT(8, patch=4, width=16, depth=1, heads=2)
    assert torch.equal(near.positions, grid_positions(2, 2, 16, 1.0))
    for spacing in (4.0, None):
        torch.manual_seed(0)
        far = DiT(8, patch=4, width=16, depth=1, heads=2, spacing=spacing)
        differing = [
            name
            for name, value in far.state_dict().items()
            if not torch.equal(value, near.state_dict()[name])
        ]
        assert differing == ["positions"]
        apart, before = (torch.cdist(one.positions, one.positions)[0, 1] for one in (far, near))
        assert apart > 1.5 * before
    assert torch.allclose(grid_positions(2, 2, 16, 4.0), grid_positions(5, 5, 16)[[0, 4, 20, 24]])
    assert torch.equal(
        far.positions, DiT(8, patch=4, width=16, depth=2, heads=2, spacing=None).positions
    )


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan")])
def test_a_spacing_that_tells_nothing_apart_is_refused(spacing):
    with pytest.raises(ValueError, match="DiT spacing=.*; allowed: above 0, or None"):
        DiT(8, patch=4, width=16, depth=1, heads=2, spacing=spacing)
