"""The completion that the shell gets: where it is written, and what it completes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kinoscope.cli.commands import COMMANDS
from tests.conftest import Call

Cli = Callable[..., Call]

SCRIPTS = {
    "bash": ".local/share/bash-completion/completions/kinoscope",
    "zsh": ".zsh/completions/_cyclopts_kinoscope",
    "fish": ".config/fish/completions/kinoscope.fish",
}
"""Shell -> where it looks for the script, below the home folder."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty home folder of a user whose shell is known by ``SHELL`` alone."""
    for name in ("ZSH", "ZSH_CUSTOM", "ZSH_VERSION", "BASH_VERSION", "FISH_VERSION", "SHELL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_the_script_is_where_the_shell_looks(kinoscope: Cli, home: Path, shell: str) -> None:
    call = kinoscope("--install-completion", shell)
    assert (call.status, call.err, call.out.count("\n")) == (0, "", 1)
    assert call.out.startswith(f"{shell} completes kinoscope by {home / SCRIPTS[shell]}")
    script = (home / SCRIPTS[shell]).read_text()
    flags = [
        option.replace("--", "-l ") if shell == "fish" else option for option in ("--tasks", "--json", "--clips-to")
    ]
    assert [name for name in (*COMMANDS, *flags) if name not in script] == []


def test_zsh_and_bash_load_the_script_once(kinoscope: Cli, home: Path) -> None:
    assert "once" in kinoscope("--install-completion", "zsh").out
    (home / ".zshrc").write_text((home / ".zshrc").read_text() + "autoload -Uz compinit && compinit\n")
    assert "once" not in kinoscope("--install-completion", "zsh").out
    assert (home / ".zshrc").read_text().count(str(home / ".zsh/completions")) == 1
    for _ in range(2):
        kinoscope("--install-completion", "bash")
    assert (home / ".bashrc").read_text().count(f'. "{home / SCRIPTS["bash"]}"') == 1


def test_the_shell_that_runs_is_recognized(kinoscope: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cyclopts.completion.detect_shell", lambda: "fish")
    assert kinoscope("--install-completion").out.startswith("fish completes kinoscope")
    monkeypatch.setattr("cyclopts.completion.detect_shell", lambda: "powershell")
    call = kinoscope("--install-completion")
    assert (call.status, call.out) == (2, "")
    assert call.err == (
        "kinoscope: powershell is not known; name one of bash, zsh, fish: kinoscope --install-completion bash\n"
    )


def test_a_home_that_cannot_be_written_is_one_line(kinoscope: Cli, home: Path) -> None:
    (home / ".config").write_text("a file in the place of a folder")
    call = kinoscope("--install-completion", "fish")
    assert (call.status, call.out, call.err.count("\n")) == (2, "", 1)
    assert call.err.startswith(f"kinoscope: cannot write {home}")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["det"], ["detect"]),
        (["detect", "--app"], ["--appearance"]),
        (["detect", "--appearance", "c"], ["colours", "cnn"]),
        (["detect", "a.mp4", "--js"], ["--json"]),
        (["detect", "-o", ""], []),
        (["watch", "--clips-t"], ["--clips-to"]),
        (["analyze", "vid"], []),
    ],
    ids=" ".join,
)
def test_bash_completes_commands_options_and_choices(
    kinoscope: Cli, home: Path, words: list[str], completed: list[str]
) -> None:
    kinoscope("--install-completion", "bash")
    line = " ".join(f"'{word}'" for word in ["kinoscope", *words])
    script = f'. "{home / SCRIPTS["bash"]}"; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _kinoscope; '
    script += 'printf "%s\\n" "${COMPREPLY[@]}"; complete -p kinoscope'
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    *found, registered = done.stdout.splitlines()
    assert [name for name in found if name] == completed
    assert registered == "complete -o default -F _kinoscope kinoscope"
