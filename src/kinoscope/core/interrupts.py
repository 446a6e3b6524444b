"""Deferred handling of Ctrl-C: it interrupts only where work can be stopped, never in the middle of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Context manager that defers Ctrl-C within its block, except where it is allowed.

    with Interrupts() as interrupts:
        with interrupts.allowed:      # KeyboardInterrupt may be raised here, at once or on entry
            item = next(items)
        store(item)                   # and not here
     A deferred interrupt is raised at the next place where it is allowed, or when the outermost block ends, unless
    ``consume`` has taken note of it. Signals go to the main thread, and only those that would raise KeyboardInterrupt
    are deferred; in other threads the block does nothing.

    Attributes:
        allowed: context manager for work that can be stopped. Once KeyboardInterrupt was raised in it, further ones are
            deferred.
        pending: whether Ctrl-C was deferred.
    """

    def __init__(self) -> None:
        self.pending = False
        self.allowed = _Allowed(self)
        self._open = False
        self._before: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was deferred."""
        if self.consume():
            raise KeyboardInterrupt

    def consume(self) -> bool:
        """Return whether Ctrl-C was deferred, and reset that."""
        pending, self.pending = self.pending, False
        return pending

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for signal_number in SIGNALS:
                handler = signal.getsignal(signal_number)
                if handler is signal.default_int_handler or isinstance(getattr(handler, "__self__", None), Interrupts):
                    self._before[signal_number] = handler
                    signal.signal(signal_number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        outer = None
        for signal_number, handler in self._before.items():
            outer = getattr(handler, "__self__", None) or outer
            signal.signal(signal_number, handler)
        if self.consume():
            if isinstance(outer, Interrupts):
                outer.pending = True
            elif error is None:
                raise KeyboardInterrupt

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        if self._open:
            self._open = False
            raise KeyboardInterrupt
        self.pending = True


class _Allowed:
    """The context manager ``Interrupts.allowed``."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts._open = True
        if self._interrupts.pending:
            self._interrupts._open = self._interrupts.pending = False
            raise KeyboardInterrupt

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._interrupts._open = False
