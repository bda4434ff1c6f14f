"""A headless Chromium for the tests of the page."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import cv2
import numpy as np
from websockets.sync.client import connect

WIDTH, HEIGHT = 1280, 720
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


class Browser:
    """Headless Chromium, driven by its DevTools protocol."""

    def __init__(self, folder: Path, url: str) -> None:
        self._process = subprocess.Popen(
            [
                CHROMIUM or "chromium", "--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--no-first-run", "--disable-extensions", "--remote-debugging-port=0",
                f"--user-data-dir={folder}", f"--window-size={WIDTH},{HEIGHT}", "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port_file = folder / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not port_file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        port = port_file.read_text().split()[0]
        with urlopen(f"http://127.0.0.1:{port}/json") as answer:
            page = next(target for target in json.load(answer) if target["type"] == "page")
        self._link = connect(page["webSocketDebuggerUrl"], max_size=None)
        self._number = 0
        self.hosts: set[str | None] = set()  # that the page asked anything of
        self.call("Network.enable")
        self.call("Page.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._link.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._link.recv(timeout=60))
            if message.get("method") in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                asked = message["params"].get("url") or message["params"]["request"]["url"]
                if not asked.startswith(("data:", "blob:")):
                    self.hosts.add(urlsplit(asked).hostname)
            if message.get("id") == self._number:
                return message["result"]

    def run(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def picture(self) -> np.ndarray:
        """(H, W, 3) RGB of the whole page."""
        png = np.frombuffer(base64.b64decode(self.call("Page.captureScreenshot")["data"]), np.uint8)
        return np.asarray(cv2.imdecode(png, cv2.IMREAD_COLOR))[..., ::-1]

    def close(self) -> None:
        self._link.close()
        self._process.terminate()
        self._process.wait(20)
