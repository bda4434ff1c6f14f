"""The page's door: what it lets in, and that nothing that comes in makes the program go out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import msgspec
import psutil
import pytest
import zstandard
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from engine.body.files import load_body
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.output import Run
from realtime.outputs.view.config import WebConfig
from realtime.outputs.view.viewer import Viewer

CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": [1, 0, 0, 0],
    "position": [0, 1, 3],
    "look_at": [0, 1, 0],
    "up_direction": [0, 1, 0],
    "fov": 0.7,
    "near": 0.01,
    "far": 1000,
    "image_height": 720,
    "image_width": 1280,
}


@pytest.fixture(scope="module")
def asked() -> list[tuple[str, ...]]:
    """What pages asked of the program, in order."""
    return []


@pytest.fixture(scope="module")
def viewer(asked: list[tuple[str, ...]]) -> Iterator[Viewer]:
    commands = {
        "recentre": lambda: asked.append(("recentre",)),
        "record": lambda: asked.append(("record",)),
        "smoothing": lambda level: asked.append(("smoothing", level)),
    }
    viewer = Viewer(
        Run(load_body("open"), status=lambda: LiveStatus(smoothing="medium"), commands=commands), WebConfig()
    )
    viewer.open()
    yield viewer
    viewer.close()


@pytest.fixture
def process(viewer: Viewer) -> psutil.Process:
    return psutil.Process(viewer.pid)


def a_page(viewer: Viewer) -> ClientConnection:
    """A connection as a page makes it, opened like one: with its camera."""
    address = viewer.where.replace("http", "ws")
    link = connect(address, subprotocols=[Subprotocol(f"viser-v{version('viser')}")], max_size=None)
    say(link, CAMERA)
    return link


def say(link: ClientConnection, message: dict[str, Any]) -> None:
    link.send(msgspec.msgpack.encode(message))


def update(link: ClientConnection, control: str, **values: Any) -> None:
    say(link, {"type": "GuiUpdateMessage", "uuid": control, "updates": values})


def heard(link: ClientConnection) -> Iterator[dict[str, Any]]:
    """What viser sends to a page: first how it came to look as it does, then what changes."""
    while True:
        yield from unpacked(link.recv(timeout=20))


def unpacked(window: Any) -> list[dict[str, Any]]:
    packed = window[16 : 16 + int.from_bytes(window[8:16], "little")]
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed))["messages"]


def controls(link: ClientConnection) -> dict[str, dict[str, Any]]:
    """The messages that made the controls, by their labels."""
    made: dict[str, dict[str, Any]] = {}
    for message in heard(link):
        if "label" in message.get("props", {}):
            made[message["props"]["label"]] = message
        if "Recentre" in made:
            break
    return made


def eventually(viewer: Viewer, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert viewer.tick()
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_no_message_from_a_page_makes_the_program_open_a_connection(viewer, process):
    from viser import _messages

    kinds = sorted(kind.__name__ for kind in _messages.Message.get_subclasses())
    port = urlsplit(viewer.where).port
    with a_page(viewer) as link:
        for said in (["ShareUrlRequest"], kinds):
            for kind in said:
                say(link, {"type": kind})
            until = time.monotonic() + 2
            while time.monotonic() < until:
                assert process.children(recursive=True) == []
                assert {c.laddr.port for c in process.net_connections("inet")} == {port}
                with contextlib.suppress(TimeoutError):
                    answers = {message["type"] for message in unpacked(link.recv(timeout=0.05))}
                    assert "ShareUrlUpdated" not in answers  # viser's, whether its tunnel came about or not
        assert link.ping().wait(20)  # a page that says more than it may is not shut out
        assert viewer.tick()


def test_a_value_that_no_control_offers_is_refused(viewer, asked):
    asked.clear()
    with a_page(viewer) as link:
        made = controls(link)
        smoothing, record = made["Smoothing"]["uuid"], made["Record"]["uuid"]
        update(link, smoothing, value="wild")
        update(link, smoothing, value=True)
        update(link, smoothing, visible=False)
        update(link, record, value="light")
        update(link, smoothing, value="strong")
        assert eventually(viewer, lambda: bool(asked))
        assert asked == [("smoothing", "strong")]
        with a_page(viewer) as another:
            updates = []
            for message in heard(another):
                if message["type"] == "GuiUpdateMessage":
                    updates.append((message["uuid"], message["updates"]))
                if message["type"] == "ReplayDoneMessage":
                    break
            assert [values for name, values in updates if name in (smoothing, record)] == [{"value": "strong"}]
        update(link, smoothing, value="medium")
        assert eventually(viewer, lambda: len(asked) == 2)


def test_the_page_opens_with_the_smoothing_in_use(viewer):
    with a_page(viewer) as link:
        assert controls(link)["Smoothing"]["value"] == "medium"


def test_what_is_no_message_is_passed_over(viewer, asked):
    asked.clear()
    with a_page(viewer) as link:
        record = controls(link)["Record"]["uuid"]
        for garbage in (b"", b"\xff" * 100, "text", b"\x81\xa4type", msgspec.msgpack.encode([CAMERA])):
            link.send(garbage)
        update(link, record, value=True)
        assert eventually(viewer, lambda: bool(asked))
        assert asked == [("record",)]


def test_unfinished_messages_take_no_memory(viewer, process):
    before = process.memory_info().rss
    with ExitStack() as stack:
        for _ in range(12):
            link = stack.enter_context(a_page(viewer))
            header = b"\x82\xff" + (40 << 20).to_bytes(8, "big") + bytes(4)  # a masked binary frame of 40 MB
            try:
                link.socket.sendall(header)
                for _ in range(8):
                    link.socket.sendall(bytes(1 << 20))
            except OSError:
                pass  # it was cut
        urlopen(viewer.where).close()  # what was sent has been looked at
        assert process.memory_info().rss - before < 48 << 20


def test_pages_are_few_and_one_comes_in_again_afterwards(viewer):
    with ExitStack() as stack:
        pages = 0
        with pytest.raises((InvalidHandshake, ConnectionClosed, OSError)):
            while pages < 80:
                stack.enter_context(a_page(viewer))
                pages += 1
        assert 16 < pages <= 32
    assert eventually(viewer, lambda: lets_in(viewer))


def lets_in(viewer: Viewer) -> bool:
    try:
        with a_page(viewer) as link:
            return "Record" in controls(link)
    except (InvalidHandshake, ConnectionClosed, OSError):
        return False


def test_the_page_has_our_title_and_is_laid_in_no_other(viewer):
    with urlopen(viewer.where) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'self'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        page = answer.read()
    assert b"<title>tokenmocap</title>" in page
    assert page.rstrip().endswith(b"</html>")


SEALED = """
import socket, subprocess, sys
from realtime.outputs.view.page_server import seal
listener = socket.create_server(("127.0.0.1", 0))
seal()
for attempt in (
    lambda: socket.socket().connect(listener.getsockname()),
    lambda: socket.getaddrinfo("localhost", 80),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", listener.getsockname()),
    lambda: subprocess.run([sys.executable, "-c", ""]),
):
    try:
        attempt()
    except PermissionError as error:
        print(error)
"""


def test_a_sealed_process_opens_no_connection_and_starts_no_process():
    run = subprocess.run([sys.executable, "-c", SEALED], capture_output=True, text=True, check=True)
    assert [line.rpartition(" ")[2] for line in run.stdout.splitlines()] == [
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
        "subprocess.Popen",
    ]
