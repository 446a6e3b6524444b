import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

import kinoscope.results
from kinoscope.core.errors import SourceError
from kinoscope.results.base import Result
from kinoscope.views.console.printers import render


def _results() -> list[type[Result]]:
    for module in pkgutil.iter_modules(kinoscope.results.__path__, "kinoscope.results."):
        import_module(module.name)
    return Result.__subclasses__()


@pytest.mark.parametrize("kind", _results(), ids=lambda kind: kind.__name__)
def test_every_result_has_a_text_of_its_own(kind: type[Result]) -> None:
    assert render.dispatch(kind) not in (render.dispatch(object), render.dispatch(Result))


@dataclass
class Plain(Result):
    """A result of a verb without text of its own."""


def test_a_result_without_text_shows_its_error_and_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    render(Plain("a.mp4", error=SourceError("a.mp4 is empty"), written=[Path("out/a.csv")]))
    assert capsys.readouterr() == ("  out/a.csv\n", "kinoscope: a.mp4 is empty\n")


def test_what_is_no_result_is_a_fault() -> None:
    with pytest.raises(TypeError, match=r"no module of views\.console prints int"):
        render(3)
