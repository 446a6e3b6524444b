"""Entry point of the command line and of ``python -m kinoscope``: Ctrl-C prints one line from the first moment on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, NoReturn

RESEND_SECONDS = 0.02
"""Seconds after which a Ctrl-C is sent again that arrived where Python can only drop it."""


def main() -> NoReturn:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as nohup and background shells set it
        signal.signal(signal.SIGINT, _leave)
    sys.unraisablehook = _resend
    from kinoscope.cli.main import main as run

    run()


def _leave(*_: Any) -> None:
    """Exit the process at once: while modules are imported, nothing has started that needs to end cleanly."""
    os.write(2, b"kinoscope: interrupted\n")
    os._exit(1)


def _resend(unraisable: Any) -> None:
    """Send a Ctrl-C again that arrived in a destructor, where exceptions are printed and dropped."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        timer = threading.Timer(RESEND_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
