"""Files of rules, checked against what can be seen before anything is."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import OptionError, RulesError
from kinoscope.core.results import Timeline
from kinoscope.core.validation import pluralize, suggest

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.webhook import Webhook
    from kinoscope.rules import RuleFile

log = logging.getLogger("kinoscope")


MAX_QUEUED_ALERTS = 100_000
"""Alerts of recordings that may wait to be posted: all of them come at once."""

GRACE_SECONDS = 30.0
"""Seconds for which what waits is still posted, once a recording is over."""


@contextmanager
def open_webhook(
    url: str | None, secret: str | Path | None, letters: Path, held: int, grace: float = GRACE_SECONDS
) -> Iterator[Webhook | None]:
    """Post to a webhook while the block lasts, and tell at its end what was not delivered; None without a URL.

    Args:
        url: of the webhook.
        secret: its file.
        letters: the file of the dead letters.
        held: messages that may wait.
        grace: seconds for which what waits at the end is still posted.

    Raises:
        OptionError: the URL or the secret cannot be used.
    """
    if url is None:
        yield None
        return
    from kinoscope.pipeline.alerts.signing import find_secret
    from kinoscope.pipeline.alerts.webhook import Webhook

    webhook = Webhook(url, letters, find_secret(secret), held=held)
    try:
        yield webhook
    finally:
        webhook.close(grace)
        if webhook.buried:
            log.warning(
                "kinoscope: not delivered: %s; see %s", pluralize(webhook.buried, "alert"), webhook.dead_letters
            )


def post_all(webhook: Webhook, source: str, timeline: Timeline, rules: RuleFile) -> None:
    """Post all alerts of a recording."""
    from kinoscope.pipeline.alerts.webhook import alert_message
    from kinoscope.rules.engine import recording_clock

    clock = recording_clock(rules, float(timeline.source.get("start", 0)))
    for event in timeline.events_of("rules"):
        webhook.put(alert_message(event, source, clock(float(event.extra["at"])) if clock else None))


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
    from kinoscope.rules import read_rules

    if "objects" not in tasks and "faces" not in tasks:
        raise OptionError("rules go by what is followed; add objects or faces to --tasks")
    rules = read_rules(path, detectable_labels(tasks, models or {}))
    try:
        _check_names(rules, names)
        if recording:
            _check_clock(rules)
    except RulesError as error:
        raise RulesError(f"{path}: {error}") from None
    return rules


def detectable_labels(tasks: Collection[str], models: Mapping[str, str]) -> set[str]:
    """Give all labels that these tasks can tell."""
    from kinoscope.models import cards_for_task, find

    labels = {"face"} if "faces" in tasks else set()
    if "objects" in tasks:
        chosen = models.get("objects", "auto")
        cards = cards_for_task("objects") if chosen == "auto" else [find(chosen)]
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
                    f"{suggest(name, names)}known: {known}"
                )


def _check_clock(rules: RuleFile) -> None:
    from kinoscope.rules.engine import require_clock

    if rules.clock is None:
        require_clock(rules)
