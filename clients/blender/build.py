# ruff: noqa: T201 - a command
"""Builds the extension's .zip for every system, with its wheels: `python clients/blender/build.py`.

pip downloads the wheels that blender_manifest.toml lists.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
PROJECT = SOURCE.parents[1]
_NOT_PACKED = {"build.py", "__pycache__"}
_SAME_DATE = (2025, 1, 1, 0, 0, 0)  # so that the same files give the same zip


def manifest() -> dict:
    return tomllib.loads((SOURCE / "blender_manifest.toml").read_text(encoding="utf-8"))


def wheel_names() -> list[str]:
    """Return the file names of the wheels to pack."""
    return [Path(wheel).name for wheel in manifest()["wheels"]]


def fetch_wheels(folder: Path) -> None:
    """Download missing wheels. Raises subprocess.CalledProcessError if pip fails."""
    for name in wheel_names():
        if (folder / name).exists():
            continue
        package, version, python, abi, platforms = name.removesuffix(".whl").split("-")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--implementation", "cp", "--python-version", python.removeprefix("cp"), "--abi", abi]
        command += [argument for platform in platforms.split(".") for argument in ("--platform", platform)]
        subprocess.run([*command, "--dest", str(folder), f"{package}=={version}"], check=True)
        if not (folder / name).exists():
            raise FileNotFoundError(f"pip fetched another wheel than {name}: bring blender_manifest.toml up to date")


def contents(wheels: Path | None) -> dict[str, Path]:
    """Return the extension's contents: name in the archive -> file. Without wheels if there is no folder of them."""
    files = {
        path.relative_to(SOURCE).as_posix(): path
        for path in SOURCE.rglob("*")
        if path.is_file() and not _NOT_PACKED & set(path.relative_to(SOURCE).parts)
    }
    files |= {path.name: path for path in (PROJECT / "LICENSE", PROJECT / "NOTICE")}
    files |= {path.name: path for path in (PROJECT / "assets").glob("body_open*")}
    if wheels is not None:
        files |= {f"wheels/{name}": wheels / name for name in wheel_names()}
    return dict(sorted(files.items()))


def build(out: Path, wheels: Path | None) -> None:
    """Write the extension's .zip."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in contents(wheels).items():
            archive.writestr(zipfile.ZipInfo(name, _SAME_DATE), path.read_bytes(), zipfile.ZIP_DEFLATED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    name = f"{manifest()['id']}-{manifest()['version']}.zip"
    parser.add_argument("--out", type=Path, default=PROJECT / "dist" / name, help="default: dist/%(default)s")
    parser.add_argument("--wheels", type=Path, help="a folder that keeps the wheels from one build to the next")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        wheels = options.wheels or Path(temporary)
        wheels.mkdir(parents=True, exist_ok=True)
        try:
            fetch_wheels(wheels)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            print(f"the wheels could not be fetched: {error}", file=sys.stderr)
            return 1
        build(options.out, wheels)
    digest = hashlib.sha256(options.out.read_bytes()).hexdigest()
    print(f"wrote {options.out} ({options.out.stat().st_size / 1e6:.1f} MB, sha256 {digest})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
