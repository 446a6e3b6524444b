"""Alert rules and webhooks of an analysis: rules are checked against the detectable labels before it starts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import OptionError, RulesError
from kinoscope.core.validation import pluralize, suggest
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.webhook import Webhook
    from kinoscope.rules import RuleFile

log = logging.getLogger("kinoscope")


MAX_QUEUED_ALERTS = 100_000
"""Alerts of recordings that may wait to be posted: all of them come at once."""

GRACE_SECONDS = 30.0
"""Seconds for which queued alerts are still posted after a recording ends."""


@contextmanager
def open_webhook(
    url: str | None, secret: str | Path | None, undelivered: Path, max_queued: int, grace: float = GRACE_SECONDS
) -> Iterator[Webhook | None]:
    """Open a webhook for the block, and log at its end what was not delivered; None without a URL.

    Args:
        url: of the webhook.
        secret: its file.
        undelivered: the file of undelivered messages.
        max_queued: messages in the queue.
        grace: seconds for which queued messages are still posted at the end.

    Raises:
        OptionError: the URL or the secret cannot be used.
    """
    if url is None:
        yield None
        return
    from kinoscope.pipeline.alerts.signing import find_secret
    from kinoscope.pipeline.alerts.webhook import Webhook

    webhook = Webhook(url, undelivered, find_secret(secret), max_queued=max_queued)
    try:
        yield webhook
    finally:
        webhook.close(grace)
        if webhook.undelivered:
            log.warning(
                "kinoscope: not delivered: %s; see %s",
                pluralize(webhook.undelivered, "alert"),
                webhook.undelivered_path,
            )


def post_all(webhook: Webhook, source: str, timeline: Timeline, rules: RuleFile) -> None:
    """Post all alerts of a recording."""
    from kinoscope.pipeline.alerts.webhook import alert_message
    from kinoscope.rules.engine import recording_clock

    clock = recording_clock(rules, float(timeline.source.get("start", 0)))
    for event in timeline.events("rules"):
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
        tasks: that run; rules use the tracks of ``objects`` and ``faces``.
        models: the card of each task, if one is chosen.
        names: of the people and objects in the gallery, or None if there is none.
        recording: whether the time of day is that of a recording, which must declare its start.

    Raises:
        RulesError: the file is invalid, or a rule can never match.
        OptionError: no task tracks objects.
    """
    from kinoscope.rules import read_rules

    if "objects" not in tasks and "faces" not in tasks:
        raise OptionError("rules need tracks; add objects or faces to --tasks")
    rules = read_rules(path, detectable_labels(tasks, models or {}))
    try:
        _check_names(rules, names)
        if recording:
            _check_clock(rules)
    except RulesError as error:
        raise RulesError(f"{path}: {error}") from None
    return rules


def detectable_labels(tasks: Collection[str], models: Mapping[str, str]) -> set[str]:
    """Return all labels that these tasks can detect."""
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
                    f"rule {rule.name!r} needs identities, which only a gallery has: give --gallery FILE to analyze"
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
