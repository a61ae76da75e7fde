"""The exact denoiser of a Markov chain over letters (`grammar.MarkovChain`)."""

import torch
from torch import Tensor

from localbias.diffusion import Schedule
from localbias.exact.reference import Reference
from localbias.grammar import Grammar, MarkovChain
from localbias.render import Cells


class Markov(Reference):
    """E[x0 | x_t] where strings follow a chain and each letter is shown as any of its exemplars.

    Args:
        law: of the strings.
        pool: [K, E, p], the exemplars as flat cells.
        renderer: which cells make a signal.
        schedule: the noise.

    Raises:
        ValueError: where the renderer shows strings of another length or alphabet.
    """

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
        evidence, exemplars = self._by_letter(log_likelihood)
        return (self._letters(evidence)[..., None] * exemplars).flatten(2)

    def _letters(self, evidence: Tensor) -> Tensor:
        """The posterior of each letter, by the forward-backward algorithm.

        Backward, as logarithms and up to a constant: how well each state before place i explains
        the letters from i on. Forward: how probable each state is given all letters, a posterior,
        which cannot underflow.

        Args:
            evidence: log-likelihoods of letters, [B, L, K].

        Returns:
            Probabilities of letters, [B, L, K].
        """
        places = range(evidence.shape[1])
        log_p = [self.tables[f"log_p {i}"] for i in places]
        after = [self.tables[f"next {i}"] for i in places]
        message = evidence.new_zeros(len(evidence), 1)
        conditionals: list[Tensor] = []  # log P(letter i | state, all letters) [B, states, K]
        for i in reversed(places):
            joint = log_p[i] + evidence[:, i, None] + message[:, after[i]]
            message = joint.logsumexp(-1)
            conditionals.insert(0, joint - message[..., None])
        state = torch.ones_like(evidence[:, 0, :1])  # P(state before place i | all letters)
        posteriors = []
        for i in places:
            both = state[..., None] * conditionals[i].exp()  # [B, states, K]
            posteriors.append(both.sum(1))
            next_state = both.new_zeros(len(both), self.states[i + 1])
            state = next_state.index_add(1, after[i].flatten(), both.flatten(1))
        return torch.stack(posteriors, 1)


def markov(grammar: Grammar, renderer: Cells, schedule: Schedule, order: int) -> Markov:
    """The exact denoiser of the grammar's chain of that order, under fresh rendering.

    Args:
        grammar: whose strings are modelled.
        renderer: shows them.
        schedule: the noise.
        order: letters that the next one depends on; 0 gives `marginals`, L − 1 `rule`.

    Raises:
        ValueError: for an order out of range and a renderer that shows other strings.
    """
    return Markov(MarkovChain(grammar, order), renderer.atoms, renderer, schedule)
