"""Comparison of written files with the network in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinoscope.core.errors import ModelError
from kinoscope.models.exporting.formats import FORMATS, ExportFormat
from kinoscope.models.exporting.network import Array, ExportNetwork, last_line


def verify(network: ExportNetwork, form: ExportFormat, files: tuple[Path, ...]) -> dict[str, float]:
    """Run the written files, and return name -> largest difference of each output from torch.

    The inputs have two batch sizes, and two lengths of each variable axis; the network was traced with another batch.

    Raises:
        ModelError: the files cannot be run, or an output differs by more than the tolerance.
    """
    names = ", ".join(name for name in FORMATS if name != form.name)
    try:
        found = form.run(files, network.examples)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(
            f"{network.source.name} as {form.name} does not run ({last_line(error)}); nothing was written: "
            f"choose {names}"
        ) from None
    differences = {
        spec.name: max(
            largest_difference(mine[index], theirs[index]) for mine, theirs in zip(found, network.expected, strict=True)
        )
        for index, spec in enumerate(network.outputs)
    }
    for name, difference in differences.items():
        if not difference <= network.source.tolerance:
            raise ModelError(
                f"{network.source.name} as {form.name} is not what it is in torch: output {name} differs by "
                f"{difference:.2g}, and {network.source.tolerance:g} is allowed; nothing was written: choose {names}"
            )
    return differences


def largest_difference(found: Array, wanted: Array) -> float:
    """Return the largest difference of two arrays, relative where a value exceeds 1; infinite if the shapes differ."""
    if found.shape != wanted.shape:
        return float("inf")
    difference = np.abs(found.astype(np.float64) - wanted) / np.maximum(1, np.abs(wanted))
    return float(difference.max(initial=0)) if not np.isnan(difference).any() else float("inf")
