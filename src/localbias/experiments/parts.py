"""The parts of an experiment: grammar, renderer and network, by name or one's own.

A configuration names a part of the package by its name and options. A part of one's own is passed
as an object, or registered (`grammar.register`, `render.register`, `networks.register`) and named.
What such a name stands for is not written in this package, so the configuration then holds a hash
of the part's content too: of a grammar its support and probabilities, of a renderer its `content`,
of a network the names and shapes of its parameters.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from localbias import networks
from localbias.grammar import GRAMMARS, Grammar
from localbias.networks import NETWORKS
from localbias.registry import Registry
from localbias.render import RENDERERS, Renderer
from localbias.seeds import random_generator
from localbias.store import hash_arrays

GrammarPart = dict | Grammar
RendererPart = dict | Renderer
NetworkPart = dict | Callable[..., nn.Module]

CONTENT = "content"  # the field of a configuration that holds the hash of a part of one's own
DIGITS = 12  # of that hash
_PASSED: dict[str, Any] = {}  # parts that were passed as objects in this process, by their hash


def grammar_of(part: GrammarPart) -> Grammar:
    """The grammar that a configuration means.

    ValueError where it is unknown, or no longer what it was.
    """
    if not isinstance(part, dict):
        return part
    if part.get(CONTENT) in _PASSED:
        return _PASSED[part[CONTENT]]
    name, options = _split(GRAMMARS, part, "name")
    found = GRAMMARS.make(name, **options)
    _compare("grammar", part, found.content)
    return found


def renderer_of(part: RendererPart) -> Renderer:
    """The renderer that a configuration means.

    ValueError where it is unknown, or no longer what it was.
    """
    if not isinstance(part, dict):
        return part
    if part.get(CONTENT) in _PASSED:
        return _PASSED[part[CONTENT]]
    name, options = _split(RENDERERS, part, "name")
    found = _ours(json.dumps(part)) if RENDERERS.is_ours(name) else RENDERERS.make(name, **options)
    _compare("renderer", part, found.content)
    return found


@cache
def _ours(part: str) -> Renderer:
    """A renderer of the package, from JSON: experiments with the same pictures draw them once."""
    name, options = _split(RENDERERS, json.loads(part), "name")
    return RENDERERS.make(name, **options)


def network_of(part: NetworkPart, shape: tuple[int, ...], seed: int) -> nn.Module:
    """The untrained network that a configuration means, its weights drawn from the seed.

    Args:
        part: a kind with options, or what is called with `shape` and returns the network.
        shape: of a signal.
        seed: of the initial weights.

    Raises:
        ValueError: where it is unknown, or no longer what it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(random_generator("weights", seed).get_state())
        if not isinstance(part, dict):
            return part(shape=shape)
        if part.get(CONTENT) in _PASSED:
            return _PASSED[part[CONTENT]](shape=shape)
        kind, options = _split(NETWORKS, part, "kind")
        found = networks.make(kind, shape, **options)
    _compare("network", part, lambda: _parameters(found))
    return found


def described(
    grammar_part: GrammarPart, renderer_part: RendererPart, network_part: NetworkPart
) -> dict[str, dict[str, Any]]:
    """The parts as a configuration holds them: name, options and, of one's own, a hash."""

    def network_content() -> dict[str, Tensor]:
        return _parameters(network_of(network_part, renderer_of(renderer_part).shape, 0))

    return {
        "grammar": _described(
            GRAMMARS, grammar_part, "name", lambda: grammar_of(grammar_part).content()
        ),
        "renderer": _described(
            RENDERERS, renderer_part, "name", lambda: renderer_of(renderer_part).content()
        ),
        "network": _described(NETWORKS, network_part, "kind", network_content),
    }


def _described(
    registry: Registry, part: Any, label: str, content: Callable[[], Mapping[str, Tensor]]
) -> dict[str, Any]:
    if not isinstance(part, dict):
        name = part.__name__ if hasattr(part, "__name__") else type(part).__name__
        digest = _hash(content())
        _PASSED[digest] = part
        return {label: name, CONTENT: digest}
    name = part.get(label)
    if CONTENT in part or name is None or name not in registry or registry.is_ours(name):
        return dict(part)
    return part | {CONTENT: _hash(content())}


def _split(registry: Registry, part: dict, label: str) -> tuple[str, dict[str, Any]]:
    """Name and options.

    ValueError where no name is given, or that of a part that this process does not know.
    """
    if label not in part:
        raise ValueError(
            f"{registry.kind} {part}; it must say {label!r}, one of {', '.join(registry)}"
        )
    if CONTENT in part and part[label] not in registry:
        raise ValueError(
            f"{registry.kind} {part[label]!r} is not of this package: to build it, "
            f"register what makes it under that name, or pass the {registry.kind} itself"
        )
    options = {name: value for name, value in part.items() if name not in (label, CONTENT)}
    return part[label], options


def _compare(kind: str, part: dict, content: Callable[[], Mapping[str, Tensor]]) -> None:
    """ValueError where a part is not the one whose hash the configuration holds."""
    if CONTENT in part and (found := _hash(content())) != part[CONTENT]:
        raise ValueError(f"{kind} {part} is another now: what is registered has content {found}")


def _parameters(network: nn.Module) -> dict[str, Tensor]:
    """Names and shapes, for a hash: the numbers of an untrained network are the seed's."""
    return {name: torch.tensor(tuple(p.shape)) for name, p in network.named_parameters()}


def _hash(content: Mapping[str, Tensor]) -> str:
    return hash_arrays({name: tensor.numpy() for name, tensor in content.items()})[:DIGITS]
