"""The command's entry, and ``python -m kinoscope``: Ctrl-C leaves one line from the first moment on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, NoReturn

RESEND = 0.02
"""Seconds after which a Ctrl-C that came where Python can only drop it is sent again."""


def main() -> NoReturn:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as nohup and shells in the background leave it
        signal.signal(signal.SIGINT, _leave)
    sys.unraisablehook = _resend
    from kinoscope.cli.main import main as run

    run()


def _leave(*_: Any) -> None:
    """End the process at once: nothing has been begun while modules are imported."""
    os.write(2, b"kinoscope: interrupted\n")
    os._exit(1)


def _resend(lost: Any) -> None:
    """Send a Ctrl-C again that arrived while an object was cleaned up, where exceptions are printed and dropped."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        timer = threading.Timer(RESEND, os.kill, (os.getpid(), signal.SIGINT))
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(lost)


if __name__ == "__main__":
    main()
