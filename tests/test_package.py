"""The package that `pip install .` makes: everything a run needs is in it, wherever it is started."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("engine", "realtime", "training", "assets")
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "requirements.txt", "run_live.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip would unpack into site-packages."""
    source, wheels = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, source)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "-w", str(wheels), str(source)], check=True)
    (wheel,) = wheels.glob("*.whl")
    unpacked = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(unpacked)
    return unpacked


def run(site: Path, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_console_script_runs_from_any_folder(site: Path, tmp_path: Path) -> None:
    scripts = next(site.glob("*.dist-info/entry_points.txt")).read_text()
    assert "tokenmocap = realtime.tokenmocap:main" in scripts
    call = "import sys; from realtime.tokenmocap import main; sys.argv = ['tokenmocap', '--fow', '3']; sys.exit(main())"
    done = run(site, tmp_path, call)
    assert done.returncode == 2
    assert (
        done.stderr.strip() == "tokenmocap: unknown argument '--fow'; the nearest known one is --fov (--help lists all)"
    )


def test_what_ships_is_in_it_and_whole(site: Path, tmp_path: Path) -> None:
    code = (
        "from engine.shipped import ASSETS, checked, sums\n"
        "from engine.body.files import load_body\n"
        "from realtime.estimate.estimator import EstimatorConfig, create_estimator\n"
        "from realtime.smoothing.pose_smoother import SmoothingConfig\n"
        "for name in sums(): checked(ASSETS / name)\n"
        "create_estimator(EstimatorConfig(), load_body('open')).set_token_smoothing(SmoothingConfig('strong').tokens)\n"
        "print(ASSETS)\n"
    )
    done = run(site, tmp_path, code)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == site / "assets"


def test_nothing_else_is_in_it(site: Path) -> None:
    assert {path.name.split("-")[0] for path in site.iterdir()} == {*PARTS, "run_live.py", "tokenmocap"}


@pytest.mark.parametrize("extra", ["train", "archive", "gpu"])
def test_extras_are_the_requirements_files(extra: str) -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]
    lines = (ROOT / f"requirements-{extra}.txt").read_text().splitlines()
    wanted = [line.split(" #")[0].strip() for line in lines if re.match(r"[a-z]", line)]
    assert told == [line.replace('"', "'") for line in wanted]
