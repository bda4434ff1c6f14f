"""Nothing leaves the machine: perception opens no connection, starts no process and leaves no trace of telemetry."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.cache import cache_folder

ROOT = Path(__file__).parents[3]

# An audit hook reports the networking and the processes of Python code; children inherit the hook and the file.
WATCH = """
import os, sys
log = os.open(sys.argv[1], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.system")):
        os.write(log, (event + "\\n").encode())
sys.addaudithook(watch)
"""
OBSERVE = """
import numpy as np
from realtime.kernel.messages import Frame
from realtime.perception import PerceptionConfig, create_perception
perception = create_perception(PerceptionConfig())
for i, image in enumerate(np.load(sys.argv[2])):
    print(len(perception.observe(Frame(image, i, i / 30)).people), end="")
perception.close()
import openvino
assert "openvino" in sys.modules
"""
CALL_HOME_FROM_A_CHILD = """
import socket
child = os.fork()
if child == 0:
    socket.socket().connect_ex(("127.0.0.1", 9))
    os._exit(0)
os.waitpid(child, 0)
"""


def watched(code: str, folder: Path, *arguments: str) -> tuple[str, list[str]]:
    """What the code printed and the events that were seen, in a process with a home of its own."""
    log = folder / "events"
    home = folder / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "TOKENMOCAP_CACHE": str(cache_folder())}
    command = [sys.executable, "-c", WATCH + code, str(log), *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout, log.read_text().split()


def test_perception_is_private(tmp_path: Path, clip: list[np.ndarray]) -> None:
    np.save(tmp_path / "clip.npy", np.stack(clip[:3])[:, ::2, ::2])
    printed, events = watched(OBSERVE, tmp_path, str(tmp_path / "clip.npy"))
    assert printed == "111"
    assert events == []
    assert not (tmp_path / "home" / "intel").exists()  # where openvino-telemetry keeps its identifier


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the control needs fork")
def test_the_watch_sees_even_children(tmp_path: Path) -> None:
    _, events = watched(CALL_HOME_FROM_A_CHILD, tmp_path)
    assert {"os.fork", "socket.connect"} <= set(events)


def test_whoever_imports_openvino_silences_it_first() -> None:
    offenders = []
    for package in ("engine", "realtime", "training"):
        for path in (ROOT / package).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))]
            names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
            uses_openvino = any(name.split(".")[0] == "openvino" for name in names)
            if uses_openvino and "engine.privacy" not in names:
                offenders.append(path.relative_to(ROOT))
    assert offenders == []
