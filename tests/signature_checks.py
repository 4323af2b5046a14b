"""Checks of the types and shapes in the signatures of the package, while tests run.

jaxtyping's import hook finds the functions and the classes. Its own decorator checks the parameters twice for
each call, binds them to the signature, and compiles two functions for each function that is imported. That
was a quarter of the processor time of five test files. Here one check of parameters and result is compiled,
at the first call.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from types import FunctionType, SimpleNamespace
from typing import Any, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import config, jaxtyped

beartyped = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))
SHAPES_OF_ONE_CALL = jaxtyped("context")


def install(package: str) -> None:
    """Check the calls of all functions of a package that is imported from now on."""
    jaxtyping.install_import_hook(package, f"{__name__}.checked")
    jaxtyping.jaxtyped = lambda *, typechecker: typechecker  # what the hook decorates with


def checked(defined: Any) -> Any:
    """Return a function that checks its calls, or a dataclass that checks its fields."""
    if isinstance(defined, type):
        if is_dataclass(defined) and not hasattr(defined.__init__, "__wrapped__"):
            defined.__init__ = checked(defined.__init__)
        return defined
    if not getattr(defined, "__annotations__", None) or getattr(defined, "__no_type_check__", False):
        return defined
    compiled: Callable | None = None

    @functools.wraps(defined)
    def call(*args: Any, **options: Any) -> Any:
        nonlocal compiled
        if config.jaxtyping_disable:
            return defined(*args, **options)
        if compiled is None:
            compiled = compile_checks(defined)
        return compiled(*args, **options)

    return call


def compile_checks(function: FunctionType) -> Callable:
    """Return a function with the checks of its parameters and its result.

    jaxtyping's own decorator remains where shapes name the values of parameters, and for generators, whose
    parameters beartype checks at the first item.
    """
    hints = {name: resolved(hint, function) for name, hint in function.__annotations__.items()}
    if inspect.isgeneratorfunction(function) or any("{" in str(hint) for hint in hints.values()):
        return jaxtyped(function, typechecker=beartyped)
    compiled = beartyped(with_hints(function, hints))
    arrays = any("jaxtyping" in str(hint) for hint in hints.values())
    return with_own_shapes(compiled) if arrays else compiled


def with_own_shapes(function: Callable) -> Callable:
    """Return a function whose calls have shapes of their own."""

    def call(*args: Any, **options: Any) -> Any:
        with SHAPES_OF_ONE_CALL:
            return function(*args, **options)

    return call


def resolved(hint: Any, function: FunctionType) -> Any:
    """Return a type hint without strings. A name that only type checkers import may be anything."""
    try:
        one = SimpleNamespace(__annotations__={"hint": hint})
        return get_type_hints(one, function.__globals__, include_extras=True)["hint"]
    except NameError:
        return Any


def with_hints(function: FunctionType, hints: dict[str, Any]) -> FunctionType:
    """Return a copy of a function with other type hints."""
    parts = function.__code__, function.__globals__, function.__name__, function.__defaults__
    copy = FunctionType(*parts, function.__closure__)
    copy.__kwdefaults__, copy.__annotations__ = function.__kwdefaults__, hints
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy
