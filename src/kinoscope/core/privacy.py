"""Telemetry of dependencies, which is switched off: nothing leaves the machine unless the user asks for it.

Packages read these variables when they are imported, so this is imported before any of them, with kinoscope itself.
Variables that the user has set keep their values.
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
"""Environment variable -> the value with which a package sends no telemetry."""

TELEMETRY_PACKAGES = ("openvino_telemetry",)
"""Packages that only send telemetry; those that import them work without them."""


def disable_telemetry() -> None:
    """Disable the telemetry of kinoscope's dependencies."""
    for name, value in OPT_OUT_VARIABLES.items():
        os.environ.setdefault(name, value)
    for name in TELEMETRY_PACKAGES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
