"""Fetching from a wheel with the real pip, offline: the wheels lie in a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import zipfile
from pathlib import Path

import pytest

from engine.cache import cache_folder
from realtime.assets import Asset, AssetError, Wheel, fetch
from realtime.assets.package import advance

DATA = b"weights" * 1000
WHEEL = Wheel("tinymodel", "1.0", 2000)
ASSET = Asset("model.bin", WHEEL, "tinymodel/model.bin", hashlib.sha256(DATA).hexdigest(), "CC0-1.0")


def write_wheel(folder: Path, data: bytes = DATA) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "tinymodel-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinymodel/model.bin", data)
        archive.writestr("tinymodel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinymodel\nVersion: 1.0\n")
        archive.writestr("tinymodel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: x\n")
        archive.writestr("tinymodel-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip can see; the cache is a new folder too."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    monkeypatch.setenv("TOKENMOCAP_CACHE", str(tmp_path / "cache"))
    return folder


def test_fetched_once_then_kept(index: Path) -> None:
    wheel = write_wheel(index)
    path = fetch(ASSET)
    assert path.read_bytes() == DATA
    assert path.is_relative_to(cache_folder())
    wheel.unlink()
    assert fetch(ASSET) == path
    assert [p for p in cache_folder().rglob("*") if p.is_file()] == [path]


def test_only_what_is_used_together_is_fetched_together(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies alone need no networks of hands, not even where those in the wheel are others than the pinned ones."""
    write_wheel(index)
    absent = Asset("hand.bin", WHEEL, "tinymodel/hand.bin", "0" * 64, "CC0-1.0")
    monkeypatch.setattr("realtime.assets.cache.USES", ((ASSET,), (absent,)))
    path = fetch(ASSET)
    assert [p for p in cache_folder().rglob("*") if p.is_file()] == [path]
    with pytest.raises(AssetError, match=r"hand\.bin is not in tinymodel"):
        fetch(absent)


def test_all_of_a_group_comes_out_of_one_wheel(index: Path) -> None:
    wheel = write_wheel(index)
    copy = Asset("copy.bin", WHEEL, ASSET.member, ASSET.sha256, "CC0-1.0")
    fetch(ASSET, (ASSET, copy))
    wheel.unlink()
    assert fetch(copy).read_bytes() == DATA


def test_progress_survives_folders_that_pip_removes(tmp_path: Path) -> None:
    """Pip unpacks into folders that vanish while they are looked through."""

    class Bar:
        n = 0

        def update(self, _: int) -> None: ...

    done = threading.Event()

    def unpack() -> None:
        while not done.is_set():
            for i in range(7):
                (tmp_path / f"{i}" / "a" / "b").mkdir(parents=True)
            for i in range(7):
                shutil.rmtree(tmp_path / f"{i}")

    thread = threading.Thread(target=unpack)
    thread.start()
    try:
        for _ in range(1000):
            advance(Bar(), tmp_path)  # type: ignore[arg-type]
    finally:
        done.set()
        thread.join()


def test_a_damaged_file_in_the_cache_is_fetched_again(index: Path) -> None:
    write_wheel(index)
    path = fetch(ASSET)
    path.write_bytes(DATA[:-1])
    assert fetch(ASSET).read_bytes() == DATA


def test_another_file_than_the_pinned_one_is_refused(index: Path) -> None:
    write_wheel(index, b"something else")
    with pytest.raises(AssetError, match="not the pinned file") as caught:
        fetch(ASSET)
    assert "\n" not in str(caught.value)
    assert not any(p.is_file() for p in cache_folder().rglob("*"))


def test_no_network_is_one_line_with_the_mend(index: Path) -> None:
    with pytest.raises(AssetError, match=r"could not fetch tinymodel 1\.0 .*python -m realtime\.assets") as caught:
        fetch(ASSET)
    assert "\n" not in str(caught.value)


def test_an_unwritable_cache_is_one_line_with_the_mend(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TOKENMOCAP_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(AssetError, match="set TOKENMOCAP_CACHE"):
        fetch(ASSET)
