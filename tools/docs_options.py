"""Tables of the options of the command line, for the documentation site.

A page has ``<!-- options: analyze -->`` where the options of ``kinoscope analyze`` are to stand, or
``<!-- options: train classify -->`` for those of a training.
They come from the docstrings of the verbs, as ``--help`` does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cyclopts import App, Parameter

from kinoscope.cli.commands import SHORT_OPTIONS, command, find_command
from kinoscope.cli.help import command_help

if TYPE_CHECKING:
    from cyclopts.argument import Argument

PLACE = re.compile(r"^<!-- options: (\w+)(?: (\w+))? -->$", flags=re.M)
SHORT = {long: short for short, long in SHORT_OPTIONS.items()}


def insert_options(text: str) -> str:
    """Return the text of a page with tables of options at the places that it marks."""
    return PLACE.sub(lambda match: training(match[2]) if match[2] else table(match[1]), text)


def table(verb: str) -> str:
    """Return the table of the arguments and options of a command."""
    app = App(default_parameter=Parameter(negative_iterable=()))
    app.command(command(find_command(verb)), name=verb)
    arguments = app[verb].assemble_argument_collection(
        default_parameter=Parameter(negative_iterable=()), parse_docstring=True
    )
    rows = [row(argument) for argument in arguments if argument.show]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def row(argument: Argument) -> str:
    """Return the row of an option."""
    name = argument.names[0]
    default = argument.field_info.default
    shown = "" if argument.required or default in (None, argument.field_info.empty) else f"`{default}`"
    names = " ".join(f"`{one}`" for one in (name, SHORT.get(name, "")) if one)
    return f"| {names} | {'required' if argument.required else shown} | {cell(argument.parameter.help or '')} |"


def training(task: str) -> str:
    """Return the help of a training: its data, and the list of its options."""
    text = command_help("train", ["train", task])
    if text is None:
        raise ValueError(f"there is no training {task!r}")
    return text.partition("\n")[2].strip()


def cell(text: str) -> str:
    """Return text that can stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
