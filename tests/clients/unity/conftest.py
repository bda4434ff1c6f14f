"""The Unity package's C#, compiled as Unity would but by Mono: against stand-ins for UnityEngine, NUnit and NetMQ."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.unity.sender import Sender

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parents[2] / "clients" / "unity"
_LANGUAGE = "7"  # the newest C# that Mono's compiler knows; Unity 2021's has it whole


@dataclass(frozen=True)
class CSharp:
    """Compiles into one folder and runs from there."""

    folder: Path

    def compile(self, name: str, *sources: Path | str, references: tuple[str, ...] = (), defines: str = "") -> Path:
        """Build `name` (.dll or .exe) from C# files and whole folders of them; warnings are errors."""
        files = [file for source in map(Path, sources) for file in (sorted(source.glob("*.cs")) or [source])]
        command = ["mcs", f"-langversion:{_LANGUAGE}", "-warnaserror", "-nologo", f"-out:{self.folder / name}"]
        command += [f"-target:{'library' if name.endswith('.dll') else 'exe'}", f"-lib:{self.folder}"]
        command += [f"-r:{reference}" for reference in ("System.Numerics.dll", *references)]
        command += [f"-define:{defines}"] if defines else []
        done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.folder / name

    def start(self, program: Path, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["mono", program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


@pytest.fixture(scope="session")
def package() -> Path:
    return _PACKAGE


@pytest.fixture(scope="session")
def stubs() -> Path:
    return _HERE / "stubs"


@pytest.fixture(scope="session")
def harness() -> Path:
    return _HERE / "harness"


@pytest.fixture(scope="session")
def csharp(tmp_path_factory: pytest.TempPathFactory) -> CSharp:
    for program, debian_package in (("mcs", "mono-mcs"), ("mono", "mono-runtime")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install {debian_package}")
    return CSharp(tmp_path_factory.mktemp("csharp"))


@pytest.fixture(scope="session")
def core(csharp: CSharp) -> str:
    """The package's protocol and maths, which must do without UnityEngine."""
    return csharp.compile("TokenMocap.Core.dll", _PACKAGE / "Runtime" / "Core").name


@pytest.fixture(scope="session")
def components(csharp: CSharp, core: str) -> tuple[str, ...]:
    """The package's components and what they refer to."""
    engine = csharp.compile("UnityEngine.dll", _HERE / "stubs" / "UnityEngine.cs").name
    folder = _PACKAGE / "Runtime" / "Components"
    return core, engine, csharp.compile("TokenMocap.Unity.dll", folder, references=(core, engine)).name


@pytest.fixture(scope="session")
def joint_writer(csharp: CSharp, core: str, harness: Path) -> Path:
    sources = (harness / "JointWriter.cs", harness / "Setting.cs")
    return csharp.compile("JointWriter.exe", *sources, references=(core,))


@pytest.fixture(scope="session")
def actor_writer(csharp: CSharp, components: tuple[str, ...], harness: Path) -> Path:
    sources = (harness / "ActorWriter.cs", harness / "Setting.cs")
    return csharp.compile("ActorWriter.exe", *sources, references=components)


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender()
    yield sender
    sender.stream.close()
