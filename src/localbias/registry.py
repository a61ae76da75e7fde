"""Parts by name: those that the package brings, and those that a reader adds."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

Part = TypeVar("Part")


class Registry(Mapping[str, Callable[..., Part]], Generic[Part]):
    """What makes the parts of one kind, by name; a mapping from names to what makes them.

    Attributes:
        kind: what the parts are, such as "grammar"; it stands in the errors.
    """

    def __init__(self, kind: str, makers: Mapping[str, Callable[..., Part]]):
        self.kind = kind
        self._makers = dict(makers)
        self._ours = frozenset(makers)

    def __getitem__(self, name: str) -> Callable[..., Part]:
        if name not in self._makers:
            raise ValueError(f"unknown {self.kind} {name!r}; known: {', '.join(self)}")
        return self._makers[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def register(self, name: str, maker: Callable[..., Part]) -> None:
        """Add a part of one's own. ValueError if the name is taken by another."""
        if self._makers.get(name, maker) is not maker:
            raise ValueError(f"there is a {self.kind} {name!r} already; allowed: another name")
        self._makers[name] = maker

    def is_ours(self, name: str) -> bool:
        """Whether the package brings it.

        Then name and options decide it; of others the content counts too.
        """
        return name in self._ours

    def make(self, name: str, **options: Any) -> Part:
        """The part of that name.

        ValueError for an unknown name or option, one that is missing or of a wrong type.
        """
        maker = self[name]
        known = inspect.signature(maker).parameters.values()
        names = [
            parameter.name for parameter in known if parameter.kind is not parameter.VAR_KEYWORD
        ]
        if unknown := sorted(set(options) - set(names)) if len(names) == len(known) else []:
            allowed = ", ".join(names) or "none"
            raise ValueError(
                f"unknown option {', '.join(unknown)} of {self.kind} {name!r}; known: {allowed}"
            )
        try:
            return maker(**options)
        except TypeError as error:
            raise ValueError(f"{self.kind} {name!r}: {error}") from None
