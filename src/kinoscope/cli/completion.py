"""Completion of commands, options and files by the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from kinoscope.core.errors import OptionError, OutputError

Shell = Literal["bash", "zsh", "fish"]

BASH_FILES = 'COMPREPLY=( $(compgen -f -- "${cur}") )'
"""The completion of files that cyclopts generates for bash: without the slash of a folder, and only for paths."""


def install_completion(shell: Shell | None = None) -> None:
    """Set up the shell to complete commands, options and files.

    Args:
        shell: bash, zsh or fish; the one that runs this command if not given.

    Raises:
        OptionError: the shell is not known.
        OutputError: the files of the shell cannot be written.
    """
    from kinoscope.cli.app import make_completed_app

    shell = shell or _current_shell()
    try:
        path = make_completed_app().install_completion(shell=shell)
        if shell == "bash":
            path.write_text(_leave_files_to_bash(path.read_text(encoding="utf-8")), encoding="utf-8")
    except OSError as error:
        where = error.filename or Path.home()
        raise OutputError(f"cannot write {where} ({error.strerror or error}); check its permissions") from None
    print(
        f"{shell} completes kinoscope by {path}{_zsh_condition() if shell == 'zsh' else ''}; open a new shell to use it"
    )


def _current_shell() -> Shell:
    from cyclopts.completion import ShellDetectionError, detect_shell

    choices = ", ".join(get_args(Shell))
    try:
        found: str = detect_shell()
    except ShellDetectionError:
        found = "this shell"
    for shell in get_args(Shell):
        if shell == found:
            return shell  # type: ignore[no-any-return]
    raise OptionError(f"{found} is not known; name one of {choices}: kinoscope --install-completion bash")


def _leave_files_to_bash(script: str) -> str:
    """Return the script for bash in which bash itself completes files, where nothing else fits."""
    script = script.replace(BASH_FILES, "COMPREPLY=()")
    return script.replace("complete -F _kinoscope", "complete -o default -F _kinoscope")


def _zsh_condition() -> str:
    """Return what zsh needs beside the script, if its start file does not have it."""
    start_file = Path.home() / ".zshrc"
    text = start_file.read_text(encoding="utf-8", errors="replace") if start_file.exists() else ""
    return "" if "compinit" in text or "oh-my-zsh" in text else f", once {start_file} calls compinit"
