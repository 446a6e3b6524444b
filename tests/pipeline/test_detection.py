"""Options of the detection of objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kinoscope.pipeline.detection import DEFAULT_OBJECTS, object_settings
from kinoscope.tasks.options import ObjectsOptions


@pytest.mark.parametrize(
    ("objects", "settings"),
    [
        (DEFAULT_OBJECTS, {}),
        (replace(DEFAULT_OBJECTS, labels=("car",)), {"labels": ("car",)}),
        (ObjectsOptions(rate=4), {"rate": 4, "idle_rate": None}),
        (ObjectsOptions(rate=float("10")), {"rate": 10.0, "idle_rate": None}),
        (ObjectsOptions(rate=4, idle_rate=2), {"rate": 4, "idle_rate": 2}),
        (ObjectsOptions(rate=4, idle_rate=float("5")), {"rate": 4, "idle_rate": 5.0}),
        (ObjectsOptions(idle_rate=2), {"idle_rate": 2}),
    ],
)
def test_at_a_rate_that_is_given_every_frame_counts(objects: ObjectsOptions, settings: dict[str, Any]) -> None:
    assert object_settings(objects) == settings
