"""The exact denoiser of a Markov chain over letters (`grammar.MarkovChain`), by the forward-backward algorithm."""

import torch
from torch import Tensor

from localbias.diffusion import Schedule
from localbias.exact.strings import Reference
from localbias.grammar import Grammar, MarkovChain
from localbias.render import Cells


class Markov(Reference):
    """E[x0 | x_t] where strings follow a chain and each letter is shown as any exemplar of the pool [K, E, p]."""

    def __init__(self, law: MarkovChain, pool: Tensor, renderer: Cells, schedule: Schedule):
        super().__init__(pool, renderer, schedule)
        if (law.length, law.log_p[0].shape[1]) != (renderer.length, self.letters):
            raise ValueError(
                f"strings of {law.length} symbols of {law.log_p[0].shape[1]}; "
                f"the renderer shows {renderer.length} of {self.letters}"
            )
        self.states = law.states
        self.numbers_per_sample = max(self.numbers_per_sample, sum(law.states) * self.letters)
        for i in range(law.length):
            self.tables |= {f"log_p {i}": law.log_p[i], f"next {i}": law.next[i]}

    def _atoms(self, log_likelihood: Tensor) -> Tensor:
        by_letter = log_likelihood.unflatten(-1, (self.letters, self.exemplars))
        evidence = by_letter.logsumexp(
            -1
        )  # [B, L, K]: of a letter whichever its exemplar; the common 1/E cancels
        letters = self._letters(evidence)
        return (letters[..., None] * (by_letter - evidence[..., None]).exp()).flatten(2)

    def _letters(self, evidence: Tensor) -> Tensor:
        """The posterior of each letter from its evidence [B, L, K], by the forward-backward algorithm; the same shape.

        From the end: what the letters from place i on say of the past there, up to a constant, as logarithms. From the
        start: how probable each past is given everything, a posterior, which cannot underflow.
        """
        places = range(evidence.shape[1])
        law, following = zip(
            *((self.tables[f"log_p {i}"], self.tables[f"next {i}"]) for i in places)
        )
        message = evidence.new_zeros(len(evidence), 1)
        forward = []  # log P(letter | past, everything) [B, states, K]
        for i in reversed(places):
            joint = law[i] + evidence[:, i, None] + message[:, following[i]]
            message = joint.logsumexp(-1)
            forward.insert(0, joint - message[..., None])
        past, found = torch.ones_like(evidence[:, 0, :1]), []
        for i in places:
            both = past[..., None] * forward[i].exp()
            found.append(both.sum(1))
            past = both.new_zeros(len(both), self.states[i + 1]).index_add(
                1, following[i].flatten(), both.flatten(1)
            )
        return torch.stack(found, 1)


def markov(grammar: Grammar, renderer: Cells, schedule: Schedule, order: int) -> Markov:
    """The exact denoiser of the grammar's chain of that order, fresh rendering: called like those of `strings`.

    Order 0 is `marginals`, order L − 1 `rule`. ValueError for an order out of range and a renderer
    that shows other strings.
    """
    return Markov(MarkovChain(grammar, order), renderer.atoms, renderer, schedule)
