"""The exact denoisers of a set of data, by the class of what shows it."""

from collections.abc import Sequence
from functools import singledispatch

import torch
from torch import Tensor

from localbias.diffusion import DenoiserLike, Schedule
from localbias.exact.mixture import Mixture
from localbias.exact.strings import marginals, moments, of_images, rule, train
from localbias.grammar import Grammar, every_string
from localbias.render import Cells, Points, Renderer

NAMES = ("marginals", "rule", "train")  # the order in which records hold them
FURTHER = {"pairs": 2, "triples": 3}  # maximum-entropy laws by the order of their statistics


@singledispatch
def references(
    renderer: Renderer,
    grammar: Grammar,
    schedule: Schedule,
    strings: Tensor,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
    further: Sequence[str] = (),
) -> dict[str, DenoiserLike]:
    """The exact denoisers of one set of data by name: those of `NAMES`, then the further ones.

    It depends on the renderer which there are: a renderer of one's own gets them by
    `references.register(Class)(function)`. Without that there are none.

    Args:
        renderer: shows the strings.
        grammar: their law.
        schedule: the noise.
        strings: int [n, L], the training set.
        exemplars: what each training string is always shown with; None where it is drawn anew each
            time.
        weights: how often each is drawn, [n] that sum to 1; None: all alike.
        further: names of FURTHER.

    Raises:
        ValueError: for another name, and as each of them.
    """
    return {}


@references.register
def _of_cells(
    renderer: Cells,
    grammar: Grammar,
    schedule: Schedule,
    strings: Tensor,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
    further: Sequence[str] = (),
) -> dict[str, DenoiserLike]:
    if unknown := set(further) - FURTHER.keys():
        raise ValueError(f"reference {', '.join(unknown)}; allowed: {', '.join(FURTHER)}")
    return {
        "marginals": marginals(grammar, renderer, schedule),
        "rule": rule(grammar, renderer, schedule),
        "train": train(strings, renderer, schedule, exemplars, weights),
        **{name: moments(strings, renderer, schedule, FURTHER[name], weights) for name in further},
    }


@references.register
def _of_points(
    renderer: Points,
    grammar: Grammar,
    schedule: Schedule,
    strings: Tensor,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
    further: Sequence[str] = (),
) -> dict[str, DenoiserLike]:
    """The mixtures of the rule, of independent coordinates, and what is trained on."""
    if further:
        raise ValueError(f"reference {', '.join(further)} of points; allowed: none")
    covariance = renderer.spread**2 * torch.eye(renderer.length, dtype=torch.float64)
    single = grammar.marginals()
    every = every_string(renderer.symbols, renderer.length)
    probabilities = single[torch.arange(renderer.length), every].prod(1)
    possible = probabilities > 0

    def mixture(tokens: Tensor, law: Tensor) -> Mixture:
        return Mixture(renderer.means(tokens), covariance, schedule, law)

    trained: DenoiserLike
    if exemplars is not None:
        trained = of_images(renderer.draw(strings, exemplars), schedule)
    elif renderer.deviates is not None:
        number = torch.arange(renderer.deviates.shape[1])
        rows = [renderer.draw(row.expand(len(number), -1), number) for row in strings]
        trained = of_images(torch.cat(rows), schedule)
    else:
        law = torch.full((len(strings),), 1 / len(strings), dtype=torch.float64)
        trained = mixture(strings, law if weights is None else weights)
    return {
        "marginals": mixture(every[possible], probabilities[possible]),
        "rule": mixture(grammar.support, grammar.probabilities),
        "train": trained,
    }
