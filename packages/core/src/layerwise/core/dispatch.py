"""Function overloading by type: one `Dispatch` holds the methods of one function.

A method wins when its types are subclasses of every other candidate's in all places. Types are
looked up once per combination and cached, so that a call costs no more than a dictionary look-up.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from itertools import product
from typing import Any

from layerwise.core.errors import DispatchError, refuse_unknown

__all__ = ["Dispatch", "Method", "unchanged"]

Function = Callable[..., Any]
Signature = tuple[type, ...]

_NOT_STATED = Parameter.empty


def unchanged(x: Any, /, *_args: Any, **_kwargs: Any) -> Any:
    """`x` as it came: the default of transforms, which leave alone what they do not know."""
    return x


@dataclass(frozen=True, slots=True)
class Method:
    """One function registered for one signature.

    Attributes:
        types: the types it is for, one per dispatched argument.
        function: what is called.
        returns: its return annotation: a type, None for `-> None`, or `inspect.Parameter.empty`.
        where: file and line, for messages.
    """

    types: Signature
    function: Function
    returns: Any
    where: str

    def __str__(self) -> str:
        return f"({', '.join(t.__qualname__ for t in self.types)}) at {self.where}"


class Dispatch:
    """A function that chooses its method by the types of its first one or two arguments.

    Args:
        default: called when no method fits; without one that is an error. It is never part of
            the choice between methods.
        arity: how many leading arguments decide, 1 or 2.
        name: for messages; taken from `default` or from the class attribute it is set as.

    Raises:
        DispatchError: (also a TypeError) when nothing fits or two methods cannot be ordered.

    Example:
        >>> area = Dispatch(name="area")
        >>> @area.register
        ... def _(x: int) -> int:
        ...     return x * x
        >>> @area.register
        ... def _(x: list | tuple) -> int:
        ...     return x[0] * x[1]
        >>> area(3), area((2, 5))
        (9, 10)
        >>> area("3")
        Traceback (most recent call last):
        ...
        layerwise.core.errors.DispatchError: area(str): no method fits. ...
    """

    def __init__(
        self, default: Function | None = None, *, arity: int = 1, name: str | None = None
    ) -> None:
        if arity not in (1, 2):
            raise ValueError(f"arity={arity}; a function dispatches on 1 or 2 arguments")
        self.default = default
        self.arity = arity
        self.name = name or str(getattr(default, "__name__", "dispatch"))
        self._own: dict[Signature, Method] = {}
        self._parents: tuple[Dispatch, ...] = ()
        self._children: weakref.WeakSet[Dispatch] = weakref.WeakSet()
        self._cache: dict[Any, Function] = {}
        self._methods: dict[Signature, Method | None] = {}
        self.__doc__ = getattr(default, "__doc__", None)
        self.__name__ = self.__qualname__ = self.name
        # Where this stands, so that it pickles by that name, as functions do.
        self.__module__ = sys._getframe(1).f_globals.get("__name__", __name__)

    # -- calling ---------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the method for the types of the leading arguments."""
        try:
            if self.arity == 1:
                function = self._cache[type(args[0])]
            else:
                function = self._cache[type(args[0]), type(args[1])]
        except KeyError:
            function = self.function_for(*map(type, args[: self.arity]))
        except IndexError:
            raise TypeError(
                f"{self.name} chooses its method by its first {self.arity} positional "
                f"argument(s); it was called with {len(args)}"
            ) from None
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if kwargs and error.__traceback__ and error.__traceback__.tb_next is None:
                self._refuse_unknown(function, kwargs)  # the call was refused, nothing has run
            raise

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """The dispatching function bound to `obj`: methods then take `self` first."""
        return self if obj is None else _BoundDispatch(self, obj)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.__qualname__ = f"{owner.__qualname__}.{name}"
        self.__module__ = owner.__module__

    def function_for(self, *types_: type) -> Function:
        """The function that a call with arguments of `types_` would run; cached."""
        key = types_[0] if self.arity == 1 else types_
        function = self._cache.get(key)
        if function is None:
            method = self.find(*types_)
            chosen = method.function if method else self.default
            if chosen is None:
                raise DispatchError(self._no_match(types_))
            function = self._cache[key] = chosen
        return function

    def find(self, *types_: type) -> Method | None:
        """The best method for `types_`, None when none fits; cached.

        Methods registered here go before those inherited, as with methods of a class.
        """
        try:
            return self._methods[types_]
        except KeyError:
            method = self._methods[types_] = self._search(types_)
            return method

    def _search(self, types_: Signature) -> Method | None:
        best = self._best(types_)
        if best is not None:
            return best
        for parent in self._parents:
            best = parent.find(*types_)
            if best is not None:
                return best
        return None

    def _best(self, types_: Signature) -> Method | None:
        fitting = [m for m in self._own.values() if _covers(m.types, types_)]
        if not fitting:
            return None
        # A method that is at least as special as all others; the same function registered for
        # several types of a union is never in conflict with itself.
        for method in fitting:
            if all(
                _covers(other.types, method.types) or other.function is method.function
                for other in fitting
            ):
                return method
        raise DispatchError(self._ambiguous(types_, fitting))

    # -- registering -----------------------------------------------------------------------

    def register(self, *what: Any, override: bool = False) -> Any:
        """Add a method: `@f.register`, or `@f.register(Type, ...)` when it has no annotations.

        Annotations may be unions, tuples of types, or missing (any type). A signature that is
        there already raises unless `override=True`.
        """
        scope = sys._getframe(1).f_locals
        if len(what) == 1 and not _is_type_like(what[0]):
            return self.add(what[0], override=override, scope=scope)
        types_ = what or None
        return lambda function: self.add(function, types_, override=override, scope=scope)

    def add(
        self,
        function: Function,
        types_: tuple[Any, ...] | None = None,
        *,
        override: bool = False,
        scope: dict[str, Any] | None = None,
        skip_self: bool = True,
    ) -> Function:
        """`register` as a plain call.

        Args:
            function: the method.
            types_: one type (or union) per dispatched argument; None reads the annotations.
            override: replace a method with the same signature.
            scope: local names that annotations kept as strings may refer to.
            skip_self: a first parameter called `self` is the instance; not so where a method is
                used as a function, as in `Transform(str.upper)`.
        """
        names, returns = _annotations(function, self.arity, scope or {}, skip_self=skip_self)
        hints = list(types_) if types_ is not None else names
        if len(hints) != self.arity:
            raise DispatchError(
                f"{self.name} dispatches on {self.arity} argument(s); {_where(function)} gives "
                f"{len(hints)}"
            )
        for combination in product(*(_expand(hint) for hint in hints)):
            method = Method(combination, function, returns, _where(function))
            old = self._own.get(combination)
            if old is not None and not override and not _is_rerun(old, method):
                raise DispatchError(
                    f"{self.name} has a method for {old} already; {method.where} would replace "
                    "it. Pass override=True if that is meant."
                )
            self._own[combination] = method
        self._forget()
        return function

    def inherit(self, parents: Iterable[Dispatch]) -> None:
        """Fall back on the methods of `parents`, in that order, where none of ours fits."""
        self._parents = tuple(parents)
        for parent in self._parents:
            parent._children.add(self)
            self.default = self.default or parent.default
        self._forget()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """By name where this can be imported, for methods called `_` pickle in no other way."""
        found: Any = sys.modules.get(self.__module__)
        name = str(self.__qualname__)
        for part in name.split("."):
            found = getattr(found, part, None)
        return name if found is self else super().__reduce_ex__(protocol)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy needs: the methods, without caches and links to subclasses."""
        return {**vars(self), "_children": None, "_cache": {}, "_methods": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._children = weakref.WeakSet()
        for parent in self._parents:
            parent._children.add(self)

    def _forget(self) -> None:
        self._cache.clear()
        self._methods.clear()
        for child in self._children:
            child._forget()

    # -- telling ---------------------------------------------------------------------------

    def methods(self) -> list[Method]:
        """All methods, own ones first, with their types and where they were written."""
        inherited = [m for parent in self._parents for m in parent.methods()]
        return [*self._own.values(), *inherited]

    def explain(self, *types_: type) -> str:
        """Which method a call with `types_` would run, and which others fit.

        Example:
            >>> f = Dispatch(name="f")
            >>> @f.register
            ... def _(x: int) -> str: return "int"
            >>> print(f.explain(bool))  # doctest: +ELLIPSIS
            f(bool) runs (int) at ...
        """
        call = f"{self.name}({_names(types_)})"
        method = self.find(*types_)
        if method is not None:
            return f"{call} runs {method}"
        return f"{call} runs its default" if self.default else self._no_match(types_)

    def _no_match(self, types_: Signature) -> str:
        wanted = {c for t in types_ for c in t.__mro__}
        ranked = sorted(
            self.methods(), key=lambda m: -sum(t in wanted and t is not object for t in m.types)
        )
        known = "; ".join(str(m) for m in ranked[:3]) or "nothing is registered yet"
        return (
            f"{self.name}({_names(types_)}): no method fits. The closest: {known}. "
            f"Add one with @{self.name}.register on a function whose first {self.arity} "
            f"parameter(s) are annotated ({_names(types_)})."
        )

    def _refuse_unknown(self, function: Function, given: Iterable[str]) -> None:
        """Raise for keywords that `function` has not; methods are called `_` in Python's words."""
        try:
            parameters = signature(function).parameters
        except (TypeError, ValueError):  # of builtins
            return
        if all(each.kind is not Parameter.VAR_KEYWORD for each in parameters.values()):
            known = list(parameters)[self.arity :]
            refuse_unknown(self.name, [name for name in given if name not in known], known)

    def _ambiguous(self, types_: Signature, fitting: list[Method]) -> str:
        special = [
            m for m in fitting if not any(o is not m and _covers(m.types, o.types) for o in fitting)
        ]
        return (
            f"{self.name}({_names(types_)}): no single method is the most special. "
            f"Candidates: {'; '.join(map(str, special))}. Register one for exactly "
            f"({_names(types_)})."
        )

    def __repr__(self) -> str:
        return f"<Dispatch {self.name}: {len(self.methods())} methods>"

    def __iter__(self) -> Iterator[Method]:
        return iter(self.methods())


class _BoundDispatch:
    """A `Dispatch` looked up on an instance: passes the instance as first argument."""

    __slots__ = ("dispatch", "owner")

    def __init__(self, dispatch: Dispatch, owner: Any) -> None:
        self.dispatch = dispatch
        self.owner = owner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arity = self.dispatch.arity
        if len(args) < arity:
            self.dispatch(*args)  # raises, in words
        function = self.dispatch.function_for(*map(type, args[:arity]))
        if function is self.dispatch.default:
            return function(*args, **kwargs)
        return function(self.owner, *args, **kwargs)


def _is_rerun(old: Method, new: Method) -> bool:
    """Whether `new` is `old` again: a cell of a notebook that was run once more."""
    same_place = old.where == new.where and new.function.__module__ == "__main__"
    return old.function is new.function or same_place


def _covers(general: Signature, special: Signature) -> bool:
    return all(issubclass(s, g) for s, g in zip(special, general, strict=True))


def _is_type_like(value: Any) -> bool:
    return isinstance(value, type | types.UnionType | tuple) or typing.get_origin(value) is not None


def _expand(hint: Any) -> tuple[type, ...]:
    """The plain types that an annotation stands for: `A | B` and `(A, B)` are both A and B."""
    if hint is _NOT_STATED or hint is Any:
        return (object,)
    if hint is None:
        return (types.NoneType,)
    if isinstance(hint, tuple):
        return tuple(t for part in hint for t in _expand(part))
    origin = typing.get_origin(hint)
    if origin is typing.Union or origin is types.UnionType:
        return tuple(t for part in typing.get_args(hint) for t in _expand(part))
    if origin is typing.Annotated:
        return _expand(typing.get_args(hint)[0])
    plain = origin or hint
    if isinstance(plain, typing.TypeVar):
        return _expand(plain.__bound__) if plain.__bound__ else (object,)
    if not isinstance(plain, type):
        raise DispatchError(
            f"{hint!r} is no type to dispatch on; write a class, a union or a tuple of classes"
        )
    return (plain,)


def _annotations(
    function: Function, arity: int, scope: dict[str, Any], *, skip_self: bool
) -> tuple[list[Any], Any]:
    """Annotations of the leading parameters (without `self`) and of the result."""
    try:
        description = signature(function)
    except (TypeError, ValueError):  # builtins and types without a signature take anything
        return [_NOT_STATED] * arity, _NOT_STATED
    parameters = list(description.parameters.values())
    if skip_self and parameters and parameters[0].name == "self":
        del parameters[0]
    hints = [_evaluate(p.annotation, function, scope) for p in parameters[:arity]]
    returns = _evaluate(description.return_annotation, function, scope)
    # Neither says what the result is: `Any` is a class and a protocol has no instances to ask for.
    if returns is Any or getattr(returns, "_is_protocol", False):
        returns = _NOT_STATED
    return hints, returns


def _evaluate(annotation: Any, function: Function, scope: dict[str, Any]) -> Any:
    """An annotation that was kept as a string, as the object it names."""
    if not isinstance(annotation, str):
        return annotation
    namespace = _globals_of(function)
    try:
        # `typing.get_type_hints` cannot see names that are local to the function around.
        return eval(annotation, namespace, scope)  # noqa: S307 - our caller's own source text
    except NameError as error:
        error.add_note(
            f"while reading the annotation {annotation!r} of {_where(function)}; name the type "
            "with @f.register(Type)"
        )
        raise


def _globals_of(function: Any) -> dict[str, Any]:
    """The names that the text of `function` sees: those of its module, or of its class's."""
    if isinstance(function, partial):
        return _globals_of(function.func)
    written = inspect.unwrap(function)
    if not hasattr(written, "__globals__"):  # an object that can be called, or a class
        is_class = isinstance(written, type)
        written = written.__init__ if is_class else type(written).__call__
    return getattr(written, "__globals__", {})


def _where(function: Function) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return getattr(function, "__qualname__", repr(function))
    return f"{code.co_filename}:{code.co_firstlineno}"


def _names(types_: Iterable[type]) -> str:
    return ", ".join(t.__qualname__ for t in types_)
