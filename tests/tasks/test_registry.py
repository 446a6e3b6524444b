"""The registry of tasks: those of other packages, and what becomes of faulty ones."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint

import pytest

from kinoscope.core.errors import PluginError
from kinoscope.tasks import registry
from kinoscope.tasks.base import Task


class Rain(Task):
    """A task of another package."""

    name = "rain"


class Hail(Task):
    """A task that runs only where it is named."""

    name = "hail"
    by_default = False


def _entry(name: str, value: str) -> EntryPoint:
    entry = EntryPoint(name, value, registry.PLUGINS)
    vars(entry).update(dist=type("Distribution", (), {"name": "kinoscope-weather"}))
    return entry


@pytest.fixture
def weather(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with two tasks, one that is missing, one of another name, and one in the place of a row."""
    values = {
        "rain": f"{__name__}:Rain", "hail": f"{__name__}:Hail", "fog": f"{__name__}:Fog", "wet": f"{__name__}:Rain",
        "dict": "builtins:dict", "shots": f"{__name__}:Rain",
    }  # fmt: skip
    found = {name: _entry(name, value) for name, value in values.items()}
    monkeypatch.setattr(registry, "plugins", lambda group: found)
    registry._warn_once.cache_clear()


@pytest.mark.usefixtures("weather")
def test_a_plugin_that_cannot_be_loaded_never_stops_the_default_tasks(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "kinoscope"):
        names = registry.default_task_names()
        assert registry.default_task_names() == names
    assert names[0] == "shots"
    assert [name for name in names if name not in registry.TASKS] == ["rain"]
    assert [record.getMessage().partition(" of ")[0] for record in caplog.records] == [
        f"plugin fog ({__name__}:Fog)", "plugin wet", "plugin dict",
    ]  # fmt: skip


@pytest.mark.usefixtures("weather")
def test_a_plugin_has_the_name_of_its_task_and_takes_none_of_this_package() -> None:
    assert registry.find_task("rain") is Rain
    assert registry.find_task("shots").__module__ == "kinoscope.tasks.shots"
    with pytest.raises(PluginError, match=r"plugin wet of kinoscope\.tasks calls itself 'rain'; give both one name"):
        registry.find_task("wet")
    with pytest.raises(PluginError, match=r"plugin dict of kinoscope\.tasks is no subclass of kinoscope\.Task"):
        registry.find_task("dict")
