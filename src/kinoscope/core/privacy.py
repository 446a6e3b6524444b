"""Nothing leaves the machine unasked: the reporting of use that other packages have built in is turned off.

They read these variables when they are imported, so this is imported before any of them, with kinoscope itself. What
the user has set stays as it is.
"""

from __future__ import annotations

import os
import sys

OPT_OUT_VARIABLES = {
    "DO_NOT_TRACK": "1",  # honoured by several
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, transformers
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime, which brings the voice activity of faster-whisper
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variable -> the value at which a package reports nothing."""

TELEMETRY_PACKAGES = ("openvino_telemetry",)
"""Packages that do nothing but report; those that would use them do without where they are not installed."""


def disable_telemetry() -> None:
    """Turn off what would report that kinoscope's dependencies are used."""
    for name, value in OPT_OUT_VARIABLES.items():
        os.environ.setdefault(name, value)
    for name in TELEMETRY_PACKAGES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
