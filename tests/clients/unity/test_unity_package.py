"""The package's layout is what Unity's package manager wants; no Mono needed."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "clients" / "unity"


def _assets() -> list[Path]:
    """What Unity imports: everything but the folder with a tilde itself and the .meta files."""
    return [path for path in PACKAGE.rglob("*") if path.suffix != ".meta" and path.name != "Samples~"]


def test_every_asset_has_a_meta_file_with_an_identity_of_its_own() -> None:
    """In a package that came by git Unity ignores what has none."""
    assets = _assets()
    metas = {path.with_name(f"{path.name}.meta") for path in assets}
    assert metas == set(PACKAGE.rglob("*.meta"))
    guids = [re.search(r"^guid: ([0-9a-f]{32})$", meta.read_text(), re.MULTILINE) for meta in metas]
    assert all(guids)
    assert len({guid[1] for guid in guids if guid}) == len(assets)


def test_the_manifest_is_in_step_with_the_project() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text())
    project = tomllib.loads((PACKAGE.parents[1] / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == project["version"]
    assert manifest["license"] == project["license"]
    assert re.fullmatch(r"[a-z0-9]+(\.[a-z0-9]+)+", manifest["name"])
    samples = {sample["path"] for sample in manifest["samples"]}
    assert samples == {f"Samples~/{folder.name}" for folder in (PACKAGE / "Samples~").iterdir() if folder.is_dir()}


def test_assemblies_refer_to_each_other_by_names_that_exist() -> None:
    assemblies = {path: json.loads(path.read_text()) for path in PACKAGE.rglob("*.asmdef")}
    names = {assembly["name"] for assembly in assemblies.values()}
    assert {path.stem for path in assemblies} == names
    for assembly in assemblies.values():
        ours = {name for name in assembly["references"] if name.startswith("TokenMocap")}
        assert ours <= names


def test_protocol_and_maths_do_without_the_engine() -> None:
    core = PACKAGE / "Runtime" / "Core"
    assert json.loads((core / "TokenMocap.Core.asmdef").read_text())["noEngineReferences"] is True
    assert not [path.name for path in core.glob("*.cs") if "UnityEngine" in path.read_text()]
