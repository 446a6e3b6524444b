"""The names of the package: imported when they are used, listed, and known to type checkers."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest

import kinoscope
import kinoscope.results
from kinoscope.cli.commands import COMMANDS, find_command
from kinoscope.core import errors
from kinoscope.pipeline.options import is_group
from kinoscope.results.base import Result

PUBLIC: list[str] = vars(kinoscope)["__all__"]

HEAVY = {"torch", "cv2", "av", "openvino", "onnxruntime"}
"""Packages that take long to import."""


def imports_for_type_checkers() -> dict[str, str]:
    """Return name -> module of the imports that only type checkers read."""
    tree = ast.parse(Path(kinoscope.__file__).read_text(encoding="utf-8"))
    (block,) = (one for one in tree.body if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING")
    imports = [one for one in block.body if isinstance(one, ast.ImportFrom)]
    return {str(alias.asname): str(one.module) for one in imports for alias in one.names}


def classes_below(base: type, package: str) -> set[str]:
    """Return the names of a class and of all below it that a package defines."""
    modules = [import_module(package)]
    paths = getattr(modules[0], "__path__", [])
    modules += [import_module(module.name) for module in pkgutil.iter_modules(paths, f"{package}.")]
    members = [member for module in modules for member in vars(module).values() if isinstance(member, type)]
    return {one.__name__ for one in members if issubclass(one, base) and one.__module__.startswith(package)}


def test_all_public_names_are_listed() -> None:
    assert PUBLIC == dir(kinoscope) == sorted(PUBLIC)
    assert len(set(PUBLIC)) == len(PUBLIC)


def test_type_checkers_see_the_names_that_are_imported() -> None:
    seen = imports_for_type_checkers()
    assert sorted([*seen, "__version__"]) == PUBLIC
    for name, module in seen.items():
        assert getattr(kinoscope, name) is getattr(import_module(module), name)


def test_all_errors_are_public() -> None:
    assert classes_below(errors.KinoscopeError, "kinoscope.core.errors") <= set(PUBLIC)


def test_all_results_are_public() -> None:
    assert classes_below(Result, "kinoscope.results") <= set(PUBLIC)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_all_groups_of_options_of_a_verb_are_public(name: str) -> None:
    kinds = get_type_hints(find_command(name)).values()
    assert {kind.__name__ for kind in kinds if is_group(kind)} <= set(PUBLIC)


def test_nothing_heavy_is_imported_for_a_listing_or_an_error() -> None:
    code = (
        f"import sys, kinoscope; dir(kinoscope); kinoscope.OptionError; print(sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
