"""Functions of other libraries, wrapped once their library is imported, and put back in the end.

Nothing is imported for it, and nothing is wrapped while nobody listens. A wrapper hands over at once: what it
gives and raises is what the library gives and raises, unless a listener refuses the call.
"""

import functools
import importlib.abc
import importlib.machinery
import inspect
import sys
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

from hf_integration.loading.calls import POINTS, Call, Place, Point
from hf_integration.loading.whose import Caller, caller


@dataclass(eq=False)
class Running:
    """A call that has begun and not ended.

    Attributes:
        call: the call.
        caller: who made it.
        told: whether something within it was listed: it is then no further load.
        notes: what a listener keeps with the call, by listener.
    """

    call: Call
    caller: Caller
    told: bool = False

    def __post_init__(self) -> None:
        self.notes: dict[object, Any] = {}


class Listener(Protocol):
    """Is told of every call of a user, and of none of sslauth's own."""

    @property
    def enforces(self) -> bool:
        """Whether it is told of the calls that are enforced; else of those that are observed."""

    def before(self, running: Sequence[Running]) -> Any:
        """A call is about to be made.

        Args:
            running: the calls of this thread that have not ended, the one that is about to be made last.

        Returns:
            Arguments to be replaced, by name; ``None`` for none.
        """

    def after(self, running: Sequence[Running], result: Any) -> None:
        """The call that is last has ended without an error, with this result."""


_BEFORE = "_before_sslauth"
"""Attribute of a wrapper: what it was put in the place of."""

_running: ContextVar[tuple[Running, ...]] = ContextVar("sslauth_running", default=())


class Interception:
    """The one place that wraps and unwraps; several listeners share it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._listeners: tuple[Listener, ...] = ()
        self._wrapped: dict[Point, tuple[Any, Any, Any]] = {}
        self._finder = _Finder(self._imported)

    @property
    def wraps(self) -> bool:
        """Whether any function is wrapped, or would be when its library is imported."""
        return bool(self._wrapped) or self._finder in sys.meta_path

    def listen(self, listener: Listener) -> None:
        """Tell a listener of every call from now on; once, however often this is asked."""
        with self._lock:
            if listener in self._listeners:
                return
            self._listeners = (*self._listeners, listener)
            if self._finder not in sys.meta_path:
                sys.meta_path.insert(0, self._finder)
            for name in {point.module for point in POINTS}:
                if (module := sys.modules.get(name)) is not None and not _is_being_imported(module):
                    self._imported(module)

    def ignore(self, listener: Listener) -> None:
        """Tell a listener nothing any more; when nobody listens, everything is as it was before."""
        with self._lock:
            self._listeners = tuple(other for other in self._listeners if other is not listener)
            if self._listeners:
                return
            if self._finder in sys.meta_path:
                sys.meta_path.remove(self._finder)
            for point, (owner, before, wrapper) in self._wrapped.items():
                if vars(owner).get(point.name) is wrapper:  # else somebody wrapped it once more
                    setattr(owner, point.name, before)
            self._wrapped.clear()

    def _imported(self, module: ModuleType) -> None:
        with self._lock:
            for point in POINTS:
                if point.module == module.__name__ and point not in self._wrapped and self._listeners:
                    self._wrap(point, module)

    def _wrap(self, point: Point, module: ModuleType) -> None:
        owner: Any = getattr(module, point.owner, None) if point.owner else module
        before = None if owner is None else vars(owner).get(point.name)
        if before is None:
            return  # another release of the library, which has no such function
        # what puts attributes back may put a wrapper back that nobody knows any more
        before = getattr(getattr(before, "__func__", before), _BEFORE, before)
        function = before.__func__ if isinstance(before, classmethod) else before
        wrapper: Any = self._around(point, function)
        setattr(wrapper, _BEFORE, before)
        wrapper = classmethod(wrapper) if isinstance(before, classmethod) else wrapper
        setattr(owner, point.name, wrapper)
        self._wrapped[point] = owner, before, wrapper

    def _around(self, point: Point, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def asking(*arguments: Any, **options: Any) -> Any:
                begun = self._begin(point, signature, arguments, options)
                if begun is None:
                    return await function(*arguments, **options)
                running, options, listeners = begun
                token = _running.set(running)
                try:
                    result = await function(*arguments, **options)
                finally:
                    _running.reset(token)
                for listener in listeners:
                    listener.after(running, result)
                return result

            return asking

        @functools.wraps(function)
        def loading(*arguments: Any, **options: Any) -> Any:
            begun = self._begin(point, signature, arguments, options)
            if begun is None:
                return function(*arguments, **options)
            running, options, listeners = begun
            token = _running.set(running)
            try:
                result = function(*arguments, **options)
            finally:
                _running.reset(token)
            for listener in listeners:
                listener.after(running, result)
            return result

        return loading

    def _begin(
        self, point: Point, signature: inspect.Signature, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Running, ...], dict[str, Any], tuple[Listener, ...]] | None:
        """What a call says, told to every listener; ``None`` for a call that is nobody's matter."""
        listeners = self._listeners
        if not (point.observed and point.enforced):
            listeners = tuple(listener for listener in listeners if listener.enforces == point.enforced)
        if not listeners:
            return None
        who = caller()
        if who.is_own:
            return None
        try:
            bound = signature.bind(*arguments, **options)
        except TypeError:
            return None  # the function itself says what is wrong with it
        named = {**bound.arguments}
        for parameter in signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                named |= named.pop(parameter.name, {})
        call = _read(point, named)
        if call is None:
            return None
        running = (*_running.get(), Running(call, who))
        for listener in listeners:
            replaced = listener.before(running) or {}
            given_by_place = bound.arguments.keys() - options.keys()
            options |= {name: value for name, value in replaced.items() if name not in given_by_place}
        return running, options, listeners


def _read(point: Point, arguments: dict[str, Any]) -> Call | None:
    try:
        return point.read(arguments)
    except Exception:  # an argument of a kind that nobody thought of must not look like no load at all
        return Call(point.name, "not understood", Place())


def _is_being_imported(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing by itself: sees modules of a few names right after they were imported."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported
        self._names = frozenset(point.module for point in POINTS)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        if fullname not in self._names:
            return None
        for finder in tuple(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: Any = None if find is None else find(fullname, path, target)
            if spec is not None:
                self._see(spec)
                return spec  # type: ignore[no-any-return]  # of whatever finder
        return None

    def _see(self, spec: importlib.machinery.ModuleSpec) -> None:
        loader: Any = spec.loader
        if not isinstance(
            loader, importlib.machinery.SourceFileLoader | importlib.machinery.SourcelessFileLoader
        ):
            return  # a loader that is shared with other modules; those libraries come as files
        execute = loader.exec_module

        def executed(module: ModuleType) -> None:
            del loader.exec_module  # of this object alone: the next module has another
            execute(module)
            self._imported(module)

        loader.exec_module = executed  # type: ignore[method-assign]


INTERCEPTION = Interception()
"""Of this process: a function can be wrapped once only."""
