"""Help of the command line: of all commands, of a training, and after a line that cannot be parsed."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from kinoscope.cli.commands import find_command
from kinoscope.core.plugins import plugins
from kinoscope.core.validation import suggest
from kinoscope.tasks.registry import PLUGINS as TASK_PLUGINS
from kinoscope.views.registry import PLUGINS as VIEW_PLUGINS

if TYPE_CHECKING:
    from cyclopts import CycloptsError

HELP = """kinoscope reads a video once and reports what is in it.

Every command also takes **--json** (the result as one JSON object on standard output), **--quiet** (no progress)
and **--debug** (the traceback of an error).
"""


def command_help(command: str, words: Sequence[str]) -> str | None:
    """Return the help of a command where the docstring of its verb is not all: None where it is.

    It is that of the training which the command line names, or names what other packages have added to ``analyze``.

    Args:
        command: the command whose help is wanted.
        words: the command line.
    """
    if command == "train" and (training := _training(words)):
        from kinoscope.pipeline.training_help import help_of

        return help_of(training)
    added = _plugin_names() if command in ("analyze", "convert") else ""
    docstring = inspect.getdoc(find_command(command)) or "" if added else ""
    return f"{docstring.partition('Args:')[0].strip()}\n\n{added}" if added else None


def help_hint(words: Sequence[str], commands: Collection[str]) -> str:
    """Return the command that shows the help of a command line."""
    known = list(words[:1]) if words and words[0] in commands else []
    training = _training(words)
    return " ".join(["see kinoscope", *known, *([training] if training else []), "--help"])


def _training(words: Sequence[str]) -> str | None:
    """Return the training that a command line names; None if it names none."""
    if list(words[:1]) != ["train"] or len(words) < 2:
        return None
    from kinoscope.pipeline.trainings import training_names

    return words[1] if words[1] in training_names() else None


def _plugin_names() -> str:
    """Return a sentence that names the tasks and formats of other packages; empty without any."""
    kinds = {"tasks": TASK_PLUGINS, "formats": VIEW_PLUGINS}
    names = [f"{kind} {', '.join(plugins(group))}" for kind, group in kinds.items() if plugins(group)]
    return f"Other packages add the {' and the '.join(names)}." if names else ""


def describe_parse_error(error: CycloptsError, commands: Collection[str]) -> str:
    """Return in one line, without a full stop at its end, why a command line cannot be parsed."""
    from cyclopts import MissingArgumentError, UnknownCommandError

    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        name = error.unused_tokens[0]
        return f"there is no command {name!r}; {suggest(name, commands)}known: {', '.join(commands)}"
    if isinstance(error, MissingArgumentError) and (missing := error.argument):
        if missing.tokens or error.keyword:
            return f"{error.keyword or missing.name} needs a value"
        name = missing.name if missing.index is None else missing.name.lstrip("-").upper()
        return f"{' '.join(error.command_chain or ())} needs {name}"
    return " ".join(str(error).split()).removesuffix(".")
