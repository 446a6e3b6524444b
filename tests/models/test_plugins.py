"""Cards of other packages, which entry points add."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from kinoscope.core.errors import OptionError, PluginError
from kinoscope.models import all_cards, card_names, cards_for_task, choose, find
from kinoscope.models.card import Card
from kinoscope.pipeline.arguments import choose_labels, choose_models

CARD = Card(
    name="cat-finder",
    task="objects",
    about="cats",
    licence="MIT",
    files=(),
    sources=("folder:/nowhere",),
    input=(416, 416, 3),
    outputs=((3549, 4), (3549, 1)),
    classes=("cat",),
    priority=-1,
)


class _Distribution:
    name = "kinoscope-cats"


def entry_point(name: str, value: str) -> EntryPoint:
    entry = EntryPoint(name, value, "kinoscope.models")
    vars(entry).update(dist=_Distribution())  # as importlib.metadata does for those of installed packages
    return entry


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a package with a module ``cats`` and the given entry points."""
    module: Any = ModuleType("cats")
    module.CARD, module.OTHER = CARD, "no card"
    monkeypatch.setitem(sys.modules, "cats", module)

    def add(**values: str) -> None:
        entries = {name.replace("_", "-"): entry_point(name.replace("_", "-"), value) for name, value in values.items()}
        monkeypatch.setattr("kinoscope.models.plugins.plugins", lambda group: entries)

    yield add
    from kinoscope.models import plugins

    plugins._load_or_report.cache_clear()


def test_a_card_of_another_package_is_like_one_of_ours(install: Callable[..., None]) -> None:
    install(cat_finder="cats:CARD")
    assert find("cat-finder") is choose("cat-finder") is CARD
    assert [card.name for card in cards_for_task("objects")] == ["yolox-nano", "nanodet", "cat-finder"]
    assert all_cards()[-1] is CARD
    assert card_names()[-1] == "cat-finder"


def test_it_is_chosen_on_the_command_line(install: Callable[..., None], kinoscope: Any) -> None:
    install(cat_finder="cats:CARD")
    assert choose_models("objects=cat-finder") == {"objects": "cat-finder"}
    assert choose_labels("cat", "cat-finder") == ("cat",)
    rows = json.loads(kinoscope("models", "list", "--json").out)["models"]
    assert [row["name"] for row in rows][-1] == "cat-finder"


def test_a_name_of_ours_stays_ours(install: Callable[..., None]) -> None:
    install(nanodet="cats:CARD")
    assert find("nanodet").about.startswith("NanoDet")
    assert card_names().count("nanodet") == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:CARD", r"plugin broken \(no_such_module:CARD\) of kinoscope-cats cannot be loaded"),
        ("cats:OTHER", r"plugin broken \(cats:OTHER\) of kinoscope-cats is str, not a card named broken; update kinos"),
        ("cats:CARD", r"plugin broken \(cats:CARD\) of kinoscope-cats is the card cat-finder, not a card named broken"),
    ],
)
def test_a_broken_plugin_is_reported_once_and_breaks_nothing_else(
    install: Callable[..., None], caplog: pytest.LogCaptureFixture, value: str, message: str
) -> None:
    install(broken=value, cat_finder="cats:CARD")
    with caplog.at_level(logging.WARNING, "kinoscope"):
        for _ in range(3):
            assert [card.name for card in all_cards()][-2:] == ["whisper-tiny.en", "cat-finder"]
    (line,) = caplog.messages
    assert "\n" not in line
    with pytest.raises(PluginError, match=message):
        find("broken")


def test_plugins_are_not_imported_for_a_name(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    install(broken="no_such_module:CARD")
    assert find("nanodet").name == "nanodet"
    assert "broken" in card_names()
    with pytest.raises(OptionError, match=r"no model is called brokn; did you mean broken\? known: transnetv2, "):
        find("brokn")
