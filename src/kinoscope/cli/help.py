"""Help of the command line: of all commands, of a training, and after a line that cannot be parsed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from kinoscope.core.validation import suggest
from kinoscope.pipeline.training_help import help_of
from kinoscope.pipeline.trainings import training_names

if TYPE_CHECKING:
    from cyclopts import CycloptsError

HELP = """kinoscope reads a video once and reports what is in it.

Every command also takes **--json** (the result as one JSON object on standard output), **--quiet** (no progress)
and **--debug** (the traceback of an error).
"""


def command_help(command: str, words: Sequence[str]) -> str | None:
    """Return the help of the training that the command line names; None where the docstring of the command is its help.

    Args:
        command: the command whose help is wanted.
        words: the command line.
    """
    training = words[1] if command == "train" and list(words[:1]) == ["train"] and len(words) > 1 else None
    return help_of(training) if training in training_names() else None


def help_hint(words: Sequence[str], commands: Collection[str]) -> str:
    """Return the command that shows the help of a command line."""
    known = list(words[:1]) if words and words[0] in commands else []
    if known == ["train"] and len(words) > 1 and words[1] in training_names():
        known.append(words[1])
    return " ".join(["see kinoscope", *known, "--help"])


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
