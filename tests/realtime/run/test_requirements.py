from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from realtime.run import requirements
from realtime.run.requirements import wanted


def test_every_file_of_the_checkout_is_checked() -> None:
    files = {path.name for path in requirements.CHECKOUT.glob("requirements*.txt")}
    assert {each.name for each in wanted()} == files
    assert wanted()[0].name == "requirements.txt"
    assert "cyclopts" in {each.name for each in wanted()[0].requirements}


def test_missing_packages_and_wrong_versions_are_told_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numpy = importlib.metadata.version("numpy")
    (tmp_path / "requirements.txt").write_text("numpy>=2  # arrays\n")
    (tmp_path / "requirements-train.txt").write_text(
        "# nets\n-r requirements.txt\nnumpy<2\nno-such-package==1\nno-such-thing; sys_platform == 'os2'\n"
    )
    monkeypatch.setattr(requirements, "CHECKOUT", tmp_path)
    assert list(map(str, wanted())) == [
        "requirements.txt: complete",
        f"requirements-train.txt: numpy is {numpy}, not <2, no-such-package is missing; "
        "pip install -r requirements-train.txt",
    ]


def test_an_installed_package_checks_its_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["numpy>=2", 'no-such-package==1; extra == "train"', 'other; sys_platform == "os2" and extra == "gpu"']
    monkeypatch.setattr(requirements, "CHECKOUT", tmp_path)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    assert list(map(str, wanted())) == [
        "tokenmocap: complete",
        "tokenmocap[train]: no-such-package is missing; pip install 'tokenmocap[train]'",
    ]
