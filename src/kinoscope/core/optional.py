"""Imports of optional packages."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from kinoscope.core.errors import MissingExtra


def require_extra(module: str, extra: str) -> ModuleType:
    """Return a module of an optional package.

    Raises:
        MissingExtra: it is not installed; the message names the extra that brings it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise MissingExtra(f"{package} is not installed; run: pip install 'kinoscope[{extra}]'") from None
