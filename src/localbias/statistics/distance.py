"""How far two samples of features are apart."""

import numpy as np


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """The Fréchet distance of two samples of features, each as a Gaussian (Heusel et al. 2017).

    ‖μ − ν‖² + tr(C + D − 2 (C^½ D C^½)^½), with the samples' means and covariances. It is biased
    upwards where samples are few, so only those of equal sizes are compared.

    Args:
        first: [n, F], n at least 2.
        second: [m, F], likewise.

    Raises:
        ValueError: for samples of other shapes.
    """
    if first.ndim != 2 or first.shape[1:] != second.shape[1:] or min(len(first), len(second)) < 2:
        raise ValueError(
            f"samples {first.shape} and {second.shape}; allowed: [n, F] and [m, F], n and m from 2"
        )
    apart = np.square(first.mean(0, np.float64) - second.mean(0, np.float64)).sum()
    spread, further = (np.cov(one, rowvar=False, dtype=np.float64) for one in (first, second))
    sizes, axes = np.linalg.eigh(spread)
    root = (axes * np.sqrt(sizes.clip(0))) @ axes.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ further @ root).clip(0)).sum()
    return float(apart + spread.trace() + further.trace() - 2 * overlap)
