"""Tables of named things that other packages can extend.

An extension is an installed package. Its pyproject.toml names one of its modules as an entry point:

    [project.entry-points."latent_hands.extensions"]
    my-hands = "my_hands.latent_hands_extension"

Importing that module registers what the package adds.
A registry imports the modules of all extensions at its first look-up.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Generic, TypeVar, overload

from latent_hands.errors import HandsError, did_you_mean

GROUP = "latent_hands.extensions"
T = TypeVar("T")
Registered = TypeVar("Registered")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from names to things of one kind, in the order of their registration.

    `kind` names the things in error messages, and `things` are the first ones.
    Look-ups, iteration and `len` include the things that extensions register.
    No module of this package may look anything up while it is imported: extensions could not import it then.

    >>> data_sets = Registry("data set", {"freihand": "32560 hands"})
    >>> data_sets.register("stb", "18000 hands")
    '18000 hands'
    >>> list(data_sets)
    ['freihand', 'stb']
    >>> data_sets.find("stb")
    '18000 hands'
    """

    def __init__(self, kind: str, things: Mapping[str, T] | None = None):
        self.kind = kind
        self._things = dict(things or {})

    @overload
    def register(self, name: str) -> Callable[[Registered], Registered]: ...

    @overload
    def register(self, name: str, thing: T) -> T: ...

    def register(self, name, thing=None):
        """Add a thing and return it. Without `thing`, return a decorator: `@registry.register("name")`.

        Raises HandsError if the name is taken.
        """
        if thing is None:
            return lambda decorated: self.register(name, decorated)
        if name in self._things:
            raise HandsError(
                f'the {self.kind} "{name}" is already registered; register it under another name'
            )
        self._things[name] = thing
        return thing

    def find(self, name: str) -> T:
        """Return the thing of this name. Raises HandsError, which lists the legal names, if there is none."""
        load_extensions()
        if not isinstance(name, str) or name not in self._things:
            raise HandsError(f'unknown {self.kind} "{name}"; {did_you_mean(name, self._things)}')
        return self._things[name]

    def __getitem__(self, name: str) -> T:
        """Return the thing of this name. Raises KeyError, as every mapping does; see `find`."""
        load_extensions()
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        load_extensions()
        return iter(self._things)

    def __len__(self) -> int:
        """Return the number of things."""
        load_extensions()
        return len(self._things)

    def __repr__(self) -> str:
        """Return the kind and the names that are registered so far."""
        return f"<Registry of {self.kind}: {', '.join(self._things)}>"


def load_extensions() -> None:
    """Import the modules of all extensions; later calls do nothing.

    Raises HandsError if an extension cannot be imported, then and at every later call.
    """
    if failure := _failure_of_extensions():
        raise failure


@cache
def _failure_of_extensions() -> HandsError | None:
    """Import the extensions. Return the error instead of raising it: a cache keeps only what is returned."""
    from importlib.metadata import entry_points  # its import takes 40 ms, which `lite` need not spend

    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist else "unknown"
            failure = HandsError(
                f'the package "{package}" extends Latent Hands by its module "{entry.module}", '
                f"which cannot be imported: {type(error).__name__}: {error}; repair or uninstall the package"
            )
            failure.__cause__ = error
            return failure
    return None
