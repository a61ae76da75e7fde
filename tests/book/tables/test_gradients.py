"""The table of estimates with and without gradients."""

import torch

from localbias.book.tables.gradients import without_gradients


def test_estimates_stand_beside_the_exact_ratio_with_their_errors():
    matrix = torch.tensor([[2.0, 0, 1], [0, 2, 1], [5, 5, 5]]).double()
    x, region = torch.ones(3, 3).double(), torch.tensor([True, True, False])
    row = without_gradients({"linear": (lambda z: z @ matrix.T, x, region)}, 2, 0).data
    cells = [cell.strip() for cell in row.splitlines()[-1].split("|")[1:-1]]
    assert cells[:3] == ["linear", "0.8000", "0.8000"]  # (4 + 4) / (4 + 4 + 1 + 1)
    assert cells[3] == "0.800 ± 0.000"  # as many as the region has numbers: exact
    assert cells[4] == "0.800 ± 0.000"
    few = without_gradients({"linear": (lambda z: z @ matrix.T, x, region)}, 1, 0).data
    assert "± inf" in few
