"""The command line: parse it, call the verb, print the result, and exit with its status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from kinoscope.api.deprecations import rename_options
from kinoscope.cli.app import make_app
from kinoscope.cli.commands import COMMANDS, SHORT_OPTIONS, find_command, flags
from kinoscope.cli.help import describe_parse_error, help_hint
from kinoscope.cli.output import exit_status, print_result
from kinoscope.cli.stdio import discard_output, escape_controls, fail, log_to_stderr, print_traceback
from kinoscope.core.errors import KinoscopeError, UnexpectedError, wrap_error


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its status: 0 done, 1 a task failed or was cut short, 2 unusable input."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler)
        status = _start(list(sys.argv[1:] if arguments is None else arguments))
        _ignore_interrupts()
    except KeyboardInterrupt as error:
        _ignore_interrupts()
        status = fail(str(error) or "interrupted", 1)
    sys.exit(status)


def _ignore_interrupts() -> None:
    """Ignore SIGINT while the process ends; SIGTERM still stops it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start(arguments: list[str]) -> int:
    """Prepare the standard streams, run the command and return its exit status."""
    sys.stdout, sys.stderr = escape_controls(sys.stdout), escape_controls(sys.stderr)
    words, as_json, debug = _split_flags(arguments)
    sys.excepthook = print_traceback
    if debug:
        log_to_stderr()
    return _run(words, as_json, debug)


def _split_flags(words: list[str]) -> tuple[list[str], bool, bool]:
    """Return the command line without the flags that every command has, and whether --json and --debug are set.

    What follows ``--`` is no flag, but a name that begins with a dash.
    """
    end = words.index("--") if "--" in words else len(words)
    given, names = words[:end], words[end:]
    as_json, debug = "--json" in given, "--debug" in given
    rest = [SHORT_OPTIONS.get(word, word) for word in given if word not in ("--json", "--debug", "--quiet")]
    command_line = rename_options(rest)
    # A JSON result stands alone, so the progress goes too.
    verb = command_line[0] if command_line else ""
    if ("--quiet" in given or as_json) and verb in COMMANDS and "quiet" in flags(find_command(verb)):
        command_line.append("--quiet")
    return command_line + names, as_json, debug


def _run(words: list[str], as_json: bool, debug: bool) -> int:
    """Parse a command line, call the verb, print its result and return the exit status."""
    from cyclopts import CycloptsError

    try:
        result = make_app(words)(words, exit_on_error=False, print_error=False)
        return max(print_result(words, result, as_json), exit_status(result))
    except CycloptsError as error:
        return fail(f"{describe_parse_error(error, COMMANDS)}; {help_hint(words, COMMANDS)}", 2)
    except KinoscopeError as error:
        if debug:
            raise
        return fail(str(error), error.status)
    except BrokenPipeError:
        discard_output()
        return 0
    except Exception as error:
        if debug:
            raise
        return fail(str(wrap_error(error, words[0] if words else "kinoscope")), UnexpectedError.status)
