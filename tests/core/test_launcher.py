from __future__ import annotations

from typing import Any

import pytest

from kinoscope.core.launcher import Launch, current_launch

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1"}


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "launch"),
    [
        (TORCHRUN, Launch(1, 2, 1)),
        ({}, Launch()),
        ({"RANK": "1"}, Launch()),
        ({"RANK": "1", "WORLD_SIZE": "2"}, Launch()),
        (TORCHRUN | {"RANK": "2"}, Launch()),
        (TORCHRUN | {"RANK": "first"}, Launch()),
        (TORCHRUN | {"WORLD_SIZE": "1"}, Launch()),
    ],
)
def test_one_variable_alone_is_no_launcher(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], launch: Launch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert current_launch() == launch


@pytest.mark.parametrize("variables", [{"RANK": "1"}, TORCHRUN])
def test_no_verb_but_train_is_silent_in_any_process(
    monkeypatch: pytest.MonkeyPatch, kinoscope: Any, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert '"name": "nanodet"' in kinoscope("models", "show", "nanodet", "--json").out
