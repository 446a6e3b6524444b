"""Files of rules, checked against what can be seen before anything is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from kinoscope.core.errors import OptionError, RulesError
from kinoscope.core.names import hint
from kinoscope.rules import RuleFile, read


def read_rules(
    path: str | Path,
    tasks: Collection[str],
    models: Mapping[str, str] | None = None,
    names: Collection[str] | None = None,
    recording: bool = True,
) -> RuleFile:
    """Read a file of rules for an analysis.

    Args:
        path: of the file.
        tasks: what is run; rules go by what ``objects`` and ``faces`` follow.
        models: the card of each task, where one is chosen.
        names: of the people and things in the gallery, or None where there is none.
        recording: whether the time of day is that of a recording, which must say when it began.

    Raises:
        RulesError: the file is not as it must be, or a rule can never be met.
        OptionError: nothing is followed.
    """
    if "objects" not in tasks and "faces" not in tasks:
        raise OptionError("rules go by what is followed; add objects or faces to --tasks")
    rules = read(path, seen_labels(tasks, models or {}))
    try:
        _check_names(rules, names)
        if recording:
            _check_clock(rules)
    except RulesError as error:
        raise RulesError(f"{path}: {error}") from None
    return rules


def seen_labels(tasks: Collection[str], models: Mapping[str, str]) -> set[str]:
    """Give all labels that these tasks can tell."""
    from kinoscope.models import find, for_task

    labels = {"face"} if "faces" in tasks else set()
    if "objects" in tasks:
        chosen = models.get("objects", "auto")
        cards = for_task("objects") if chosen == "auto" else [find(chosen)]
        labels.update(*(card.labels for card in cards))
    return labels


def _check_names(rules: RuleFile, names: Collection[str] | None) -> None:
    for rule in rules.rules:
        for name in rule.identities or ():
            if names is None:
                raise RulesError(
                    f"rule {rule.name!r} goes by who it is, which only a gallery tells: give --gallery FILE to analyze"
                )
            if name not in names:
                known = ", ".join(sorted(names)) or "nobody"
                raise RulesError(
                    f"rule {rule.name!r}, field 'identities' names {name!r}, who is not in the gallery; "
                    f"{hint(name, names)}known: {known}"
                )


def _check_clock(rules: RuleFile) -> None:
    from kinoscope.rules.book import need_clock

    if rules.clock is None:
        need_clock(rules)
