"""Ctrl-C as a wish to stop that is granted where work can be cut, and never in the midst of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Hold Ctrl-C back within the block, save where it is allowed.

    with Interrupts() as interrupts:
        with interrupts.allowed:      # KeyboardInterrupt may be raised here, at once or on the way in
            item = next(items)
        store(item)                   # and not here

    What was held back is raised where it is allowed the next time, or when the outermost block is over, unless
    ``take`` has taken note of it. Signals go to the main thread, and only those that would raise KeyboardInterrupt are
    held back; elsewhere the block does nothing.

    Attributes:
        allowed: to enter where work can be cut. Once KeyboardInterrupt was raised there, further ones are held back.
        pending: whether Ctrl-C was held back.
    """

    def __init__(self) -> None:
        self.pending = False
        self.allowed = _Allowed(self)
        self._open = False
        self._before: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was held back."""
        if self.consume():
            raise KeyboardInterrupt

    def consume(self) -> bool:
        """Return whether Ctrl-C was held back, and forget it."""
        pending, self.pending = self.pending, False
        return pending

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for one in SIGNALS:
                before = signal.getsignal(one)
                if before is signal.default_int_handler or isinstance(getattr(before, "__self__", None), Interrupts):
                    self._before[one] = before
                    signal.signal(one, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        outer = None
        for one, before in self._before.items():
            outer = getattr(before, "__self__", None) or outer
            signal.signal(one, before)
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
    """See ``Interrupts.allowed``."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts._open = True
        if self._interrupts.pending:
            self._interrupts._open = self._interrupts.pending = False
            raise KeyboardInterrupt

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._interrupts._open = False
