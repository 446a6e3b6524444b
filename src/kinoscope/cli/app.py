"""The parser of the command line: the commands, and what each takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from kinoscope import __version__
from kinoscope.cli.commands import COMMANDS, SHORT_OPTIONS, command, find_command
from kinoscope.cli.help import HELP, command_help

if TYPE_CHECKING:
    from cyclopts import App

COMMON_FLAGS = {
    "json": "print the result as one JSON object",
    "quiet": "show no progress",
    "debug": "show the traceback of an error",
}
"""Flags that every command has -> their help. ``main`` takes them off the command line before it is parsed."""

INSTALL_COMPLETION = "--install-completion"
"""The command that sets up the completion of the shell."""


def make_app(words: Sequence[str]) -> App:
    """Return the parser of a command line, with the command that it names alone, or all if it names none."""
    app = _empty_app()
    if words and words[0] in COMMANDS:
        app.command(command(find_command(words[0])), name=words[0], help=command_help(words[0], words))
        return app
    from kinoscope.cli.completion import install_completion

    for name in COMMANDS:
        app.command(command(find_command(name)), name=name, help=command_help(name, words))
    app.command(install_completion, name=INSTALL_COMPLETION)
    return app


def make_completed_app() -> App:
    """Return a parser of all that can be typed: also of the short options and common flags that ``main`` replaces."""
    app = _empty_app()
    for name in COMMANDS:
        app.command(_with_all_flags(command(find_command(name))), name=name, help=command_help(name, ()))
    return app


def _empty_app() -> App:
    from cyclopts import App, Parameter

    return App(
        name="kinoscope",
        version=__version__,
        help=HELP,
        result_action="return_value",
        # A list of names is split at commas by the verb itself, so no option --empty-NAME is needed.
        default_parameter=Parameter(negative_iterable=()),
        suppress_keyboard_interrupt=False,  # main() reports an interruption
    )


def _with_all_flags(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb with the short forms of its options and the common flags; it is only described, never called."""
    from cyclopts import Parameter

    signature = inspect.signature(verb)
    parameters = {one.name: one for one in signature.parameters.values()}
    for short, option in SHORT_OPTIONS.items():
        if one := parameters.get(option.removeprefix("--")):
            parameters[one.name] = one.replace(annotation=Annotated[one.annotation, Parameter(alias=short)])
    for name, text in COMMON_FLAGS.items():
        kind = Annotated[bool, Parameter(negative="", help=text)]
        flag = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        parameters.setdefault(name, flag)

    def described(*args: Any, **options: Any) -> None:
        """Return nothing: only the signature is used."""

    described.__doc__ = verb.__doc__
    described.__annotations__ = {one.name: one.annotation for one in parameters.values()}
    described.__signature__ = signature.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    return described
