"""The Unity package compiles, with NetMQ too, and its own tests pass, run by Mono."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_the_packages_own_tests_pass(csharp: Any, core: str, package: Path, stubs: Path) -> None:
    program = csharp.compile("Tests.exe", package / "Tests" / "Editor", stubs / "NUnit.cs", references=(core,))
    run = csharp.start(program)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert output.count("ok ") == _written_tests(package), output


def test_the_sample_compiles(csharp: Any, components: tuple[str, ...], package: Path) -> None:
    csharp.compile("Sample.dll", package / "Samples~" / "LiveAvatar", references=components)


def test_netmq_compiles_behind_its_define(csharp: Any, package: Path, stubs: Path) -> None:
    netmq = csharp.compile("NetMQ.dll", stubs / "NetMQ.cs").name
    core = package / "Runtime" / "Core"
    csharp.compile("CoreWithNetMQ.dll", core, references=(netmq,), defines="TOKENMOCAP_NETMQ")


def _written_tests(package: Path) -> int:
    return sum(file.read_text().count("[Test]") for file in (package / "Tests" / "Editor").glob("*.cs"))
