"""The page in a real browser: what it shows, its controls, that it connects nowhere, and that it ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from urllib.parse import urlsplit
from urllib.request import urlopen

import cv2
import numpy as np
import psutil
import pytest
from scipy.spatial.transform import Rotation
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Camera, Frame, Guidance, Person, SolvedFrame, WorldPose
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.output import Run
from realtime.outputs.view.config import WebConfig
from realtime.outputs.view.display import NoDisplayError
from realtime.outputs.view.viewer import Viewer
from realtime.outputs.view.web import EYE_M, FIELD_OF_VIEW_DEG, LOOK_AT_M
from tests.realtime.outputs.view.browser import CHROMIUM, HEIGHT, WIDTH, Browser

GREEN = (20, 90, 20)
T_WORLD_CAM = np.array([0, 0.93, 3], np.float32)  # 3 m before the origin, as high as a hip
needs_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)")


@pytest.fixture(scope="module")
def body() -> BodyModel:
    """The free body with fingers and eyes, which has 55 bones."""
    return load_body("open-hands")


@pytest.fixture(scope="module")
def asked() -> list[tuple[str, ...]]:
    """What the controls asked of the program, in order."""
    return []


@pytest.fixture(scope="module")
def viewer(body: BodyModel, asked: list[tuple[str, ...]]) -> Iterator[Viewer]:
    commands = {
        "recentre": lambda: asked.append(("recentre",)),
        "record": lambda: asked.append(("record",)),
        "next person": lambda: asked.append(("next person",)),
        "smoothing": lambda level: asked.append(("smoothing", level)),
    }
    viewer = Viewer(Run(body.core, full_body=body, commands=commands), WebConfig())
    viewer.open()
    yield viewer
    viewer.close()


@pytest.fixture(scope="module")
def browser(viewer: Viewer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("browser"), viewer.where)
    yield browser
    browser.close()


def pose(yaw: float = 0.0, arm: float = 1.2) -> np.ndarray:
    """(24, 4) someone who stands with the right arm down and the left one raised to the side by pi / 2 - arm."""
    turns = np.zeros((24, 3))
    turns[0, 1], turns[16, 2], turns[17, 2] = yaw, -arm, 1.2
    return Rotation.from_rotvec(turns).as_quat().astype(np.float32)


def solved(rotations: np.ndarray, trans: tuple[float, float, float] = (0.0, 0.93, 0.0), betas=None) -> SolvedFrame:
    """One person in front of a dark green picture."""
    betas = np.zeros(10, np.float32) if betas is None else betas
    rest = load_body("open").rest_joints(betas[None])
    _, joints = forward_kinematics(Rotation.from_quat(rotations).as_matrix().astype(np.float32)[None], rest)
    where = WorldPose(rotations, np.array(trans, np.float32), joints[0] + np.array(trans, np.float32))
    person = Person(0, 1.0, True, betas, np.zeros(0, np.int16), where, where, {}, np.ones(24, np.float32))
    return SolvedFrame(Frame(np.full((360, 640, 3), GREEN, np.uint8), 0, 0.0), (person,), 0.0, T_WORLD_CAM)


def status(smoothing: str = "light", recording: bool = False) -> LiveStatus:
    camera = Camera(36.2, 18.4, -2.6, "room", 0.5)
    return LiveStatus(29.6, 41.7, "<b>test</b> clip", smoothing, recording, people=1, camera=camera)


def eventually(viewer: Viewer, frame: SolvedFrame, told: LiveStatus, condition: Callable[[], bool]) -> bool:
    """Show the frame until the condition holds; False where it does not within many seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        viewer.update(frame, told)
        viewer.tick()
        if condition():
            return True
        time.sleep(0.05)
    return False


def text(browser: Browser) -> str:
    return browser.run("document.body.innerText") or ""


def silhouette_seen(picture: np.ndarray) -> np.ndarray:
    """(H, W) where the page shows the blue of the first person, left of the panel."""
    r, g, b = picture.astype(int).transpose(2, 0, 1)
    blue = ((b - r > 24) & (b > 70) & (b >= g)).astype(np.uint8)
    blue[:, WIDTH * 2 // 3 :] = 0
    blue = cv2.morphologyEx(blue, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(blue)
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else blue.astype(bool)


def silhouette_expected(body: BodyModel, frame: SolvedFrame) -> np.ndarray:
    """(H, W) the body as a pinhole camera at the page's first view sees it."""
    person = frame.people[0]
    rotmats = full_rotmats(body.skeleton, person.pose.rotations, person.hands, person.face)
    vertices = body.vertices(rotmats[None], person.betas[None])[0] + person.pose.trans
    eye, forward = np.array(EYE_M), np.array(LOOK_AT_M) - EYE_M
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 1, 0]) / np.linalg.norm(np.cross(forward, [0, 1, 0]))
    p = (vertices - eye) @ np.stack([right, np.cross(forward, right), forward]).T
    focal = HEIGHT / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)
    pixels = p[:, :2] / p[:, 2:] * focal + [WIDTH / 2, HEIGHT / 2]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for triangle in np.round(pixels * 16).astype(np.int32)[body.faces]:
        cv2.fillConvexPoly(mask, triangle, 1, shift=4)
    mask[:, WIDTH * 2 // 3 :] = 0
    return mask.astype(bool)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


@needs_a_browser
def test_the_page_shows_the_body_where_a_pinhole_camera_sees_it_and_connects_nowhere_else(viewer, browser, body):
    frame = solved(pose(yaw=0.3, arm=0.2))
    expected = silhouette_expected(body, frame)
    told = status()
    assert eventually(viewer, frame, told, lambda: overlap(silhouette_seen(browser.picture()), expected) > 0.9)
    moved = solved(pose(yaw=-0.5, arm=1.0), trans=(0.3, 0.93, -0.4))
    expected = silhouette_expected(body, moved)
    assert eventually(viewer, moved, told, lambda: overlap(silhouette_seen(browser.picture()), expected) > 0.9)
    assert browser.hosts == {"127.0.0.1"}


TIMED = "window.at = []; (function draw(t) { at.push(t); if (at.length < 12) requestAnimationFrame(draw); })(0)"
A_CARD = "WebGL2RenderingContext.prototype.getParameter = () => 'NVIDIA GeForce RTX 4070'"


@needs_a_browser
def test_a_page_without_a_graphics_card_draws_seldom_and_coarsely(viewer, browser):
    """It drew as often as the processor gave, up to 60 times a second."""
    assert browser.run("devicePixelRatio") == 0.7
    browser.run(TIMED)
    assert eventually(viewer, solved(pose()), status(), lambda: browser.run("at.length") == 12)
    apart_ms = np.diff(browser.run("at"))[1:]
    assert apart_ms.min() > 60  # four times what a drawing takes, at least


@needs_a_browser
def test_a_page_with_a_graphics_card_is_left_alone(unwatched, tmp_path):
    browser = Browser(tmp_path, "about:blank")
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=A_CARD)
    browser.call("Page.navigate", url=unwatched.where)
    assert browser.run("devicePixelRatio") == 1
    assert "native code" in browser.run("String(requestAnimationFrame)")
    browser.close()


@needs_a_browser
def test_another_shape_becomes_another_mesh(viewer, browser, body):
    frame = solved(pose(), betas=np.array([0, 3, 0, 0, 0, 0, 0, 0, 0, 0], np.float32))
    expected = silhouette_expected(body, frame)
    assert overlap(silhouette_expected(body, solved(pose())), expected) < 0.88
    assert eventually(viewer, frame, status(), lambda: overlap(silhouette_seen(browser.picture()), expected) > 0.93)


@needs_a_browser
def test_somebody_who_left_is_gone_and_may_come_back_as_another(viewer, browser):
    frame = solved(pose())
    nobody = replace(frame, people=())
    assert eventually(viewer, frame, status(), lambda: silhouette_seen(browser.picture()).sum() > 5000)
    assert eventually(viewer, nobody, status(), lambda: silhouette_seen(browser.picture()).sum() < 500)
    assert "ms latency" in text(browser)
    back = replace(frame, people=(replace(frame.people[0], id=6),))  # ids 0 and 6 have one colour
    assert eventually(viewer, back, status(), lambda: silhouette_seen(browser.picture()).sum() > 5000)


@needs_a_browser
def test_the_panel_shows_the_camera_with_the_skeleton_and_the_figures(viewer, browser):
    frame = solved(pose())
    assert eventually(viewer, frame, status(), lambda: "ms latency" in text(browser))
    shown = text(browser)
    camera = "36° wide, 18° down, −3° roll, room ±0.5°"
    for words in ("30 fps", "42 ms latency", "<b>test</b> clip", "1 person", camera, "Record", "Recentre"):
        assert words in " ".join(shown.split())
    assert "REC" not in shown.replace("Record", "").replace("Recentre", "")

    panel = browser.picture()[:, WIDTH * 2 // 3 :].astype(int)
    green = (np.abs(panel - GREEN) <= 6).all(axis=2)
    rows, columns = np.nonzero(green)
    inset = panel[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert inset.shape[1] / inset.shape[0] == pytest.approx(640 / 360, rel=0.02)
    # On the body's left of the middle its bones are orange, on the other side blue; it faces the camera.
    middle = inset.shape[1] // 2
    orange = (inset[..., 0] > 180) & (inset[..., 2] < 140)
    blue = (inset[..., 2] > 180) & (inset[..., 0] < 140)
    assert orange[:, middle:].sum() > 50 > orange[:, : middle - 10].sum()
    assert blue[:, :middle].sum() > 50 > blue[:, middle + 10 :].sum()


@needs_a_browser
def test_somebody_who_calibrates_is_told_in_large_letters_until_it_is_over(viewer, browser):
    frame, told = solved(pose()), replace(status(), guidance=Guidance("Arms <down>", 0.25))
    assert eventually(viewer, frame, told, lambda: "Arms <down>" in text(browser))
    told_px = browser.run(
        "parseFloat(getComputedStyle([...document.querySelectorAll('div')]"
        ".filter(d => d.innerText == 'Arms <down>').pop()).fontSize)"
    )
    assert told_px > 24
    assert eventually(viewer, frame, status(), lambda: "Arms" not in text(browser))


@needs_a_browser
def test_the_controls_reach_the_program_and_show_what_it_does(viewer, browser, asked):
    frame = solved(pose())
    assert eventually(viewer, frame, status(), lambda: "Recentre" in text(browser))

    def press(label: str) -> None:
        browser.run(f"[...document.querySelectorAll('button')].find(b => b.innerText == {label!r}).click()")

    asked.clear()
    press("Record")
    assert eventually(viewer, frame, status(), lambda: asked == [("record",)])
    assert eventually(viewer, frame, status(recording=True), lambda: "Stop recording" in text(browser))
    assert "REC" in text(browser)
    press("Stop recording")
    assert eventually(viewer, frame, status(), lambda: asked == [("record",), ("record",)])
    press("Recentre")
    assert eventually(viewer, frame, status(), lambda: asked[2:] == [("recentre",)])
    press("Next person")
    assert eventually(viewer, frame, status(), lambda: asked[3:] == [("next person",)])

    asked.clear()
    browser.run("[...document.querySelectorAll('input')].find(i => i.value == 'light').click()")
    option = "[...document.querySelectorAll('[role=option]')].find(o => o.innerText == 'strong')"
    assert eventually(viewer, frame, status(), lambda: browser.run(f"{option} != null"))
    browser.run(f"{option}.click()")
    assert eventually(viewer, frame, status(), lambda: asked == [("smoothing", "strong")])
    levels = "[...document.querySelectorAll('input')].map(i => i.value)"
    # The choice stands while the program has not followed yet: figures that change show that newer news came.
    newer = replace(status(), fps=17.0)
    assert eventually(viewer, frame, newer, lambda: "17 fps" in text(browser))
    assert "strong" in browser.run(levels)
    assert eventually(viewer, frame, status("strong"), lambda: "30 fps" in text(browser))
    # Set from elsewhere, it is shown and asks for nothing.
    assert eventually(viewer, frame, status("medium"), lambda: "medium" in browser.run(levels))
    assert asked == [("smoothing", "strong")]


@pytest.fixture
def unwatched(body: BodyModel) -> Iterator[Viewer]:
    viewer = Viewer(Run(body.core), WebConfig())
    viewer.open()
    yield viewer
    viewer.close()


def test_pages_of_other_sites_are_refused(unwatched):
    address = unwatched.where.replace("http", "ws")
    for origin in ("https://example.org", "http://127.0.0.1.example.org", "null"):
        with pytest.raises(InvalidStatus) as caught:
            connect(address, origin=origin)
        assert caught.value.response.status_code == 403
    for origin in (unwatched.where, unwatched.where.replace("127.0.0.1", "localhost")):
        connect(address, origin=origin).close()


def test_no_page_costs_no_pictures_and_strangers_do_no_harm(unwatched):
    port = urlsplit(unwatched.where).port
    for garbage in (
        b"",
        b"\0" * 4096,
        b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(garbage)
    address = unwatched.where.replace("http", "ws")
    for garbage in (b"", b"\xff" * 100, "text", b"\x81\xa4type\xa3abc"):
        with connect(address, subprotocols=[Subprotocol(f"viser-v{version('viser')}")]) as stranger:
            stranger.send(garbage)
            assert stranger.ping().wait(20)
    frame = solved(pose())
    assert not eventually_quickly(unwatched, frame, lambda: unwatched.caught_up)
    with urlopen(unwatched.where) as answer:
        assert b"<!doctype html>" in answer.read().lower()


def eventually_quickly(viewer: Viewer, frame: SolvedFrame, condition: Callable[[], bool]) -> bool:
    viewer.update(frame, status())
    for _ in range(20):
        viewer.tick()
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_the_page_is_served_to_this_machine_only_and_frees_its_port(body):
    viewer = Viewer(Run(body.core), WebConfig())
    viewer.open()
    port, pid = urlsplit(viewer.where).port, viewer.pid
    assert pid is not None
    listening = [c for c in psutil.Process(pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert {(c.laddr.ip, c.laddr.port) for c in listening} == {("127.0.0.1", port)}
    viewer.close()
    assert not psutil.pid_exists(pid)
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_a_taken_port_is_one_line_with_the_mend(body):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = WebConfig(port=taken.getsockname()[1])
        viewer = Viewer(Run(body), config)
        with pytest.raises(NoDisplayError, match=f"port {config.port} .* set web.port") as caught:
            viewer.open()
        assert "\n" not in str(caught.value)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="port"):
        WebConfig(port=0)
    with pytest.raises(ValueError, match="fps"):
        WebConfig(fps=0)
