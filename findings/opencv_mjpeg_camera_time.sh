#!/usr/bin/env bash
# OpenCV gives the pictures of a network camera (MJPEG over HTTP) times that run at 25 a second, however fast they come.
#
# opencv-python-headless 5.0.0.93, its ffmpeg backend. Such a stream has no times. A camera on loopback sends 10 pictures
# a second. One expects CAP_PROP_POS_MSEC to tell when a picture came, or nothing (0), and CAP_PROP_FPS likewise. Seen:
#     CAP_PROP_FPS is 25, and CAP_PROP_POS_MSEC is 40 ms times the picture's number: 800 ms after two seconds
# So speeds that are computed with it are 2.5 times too high. The clock at the return of read() is all that there is.
# Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q opencv-python-headless==5.0.0.93

cat >"$folder/camera.py" <<'PY'
import http.server
import sys
import threading
import time

import cv2
import numpy as np

PERIOD_S = 0.1
JPEG = cv2.imencode(".jpg", np.full((120, 160, 3), 128, np.uint8))[1].tobytes()
PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(JPEG) + JPEG + b"\r\n"


class Camera(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for _ in range(40):
            self.wfile.write(PART)
            time.sleep(PERIOD_S)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
threading.Thread(target=server.serve_forever, daemon=True).start()
capture = cv2.VideoCapture(f"http://127.0.0.1:{server.server_port}/")
clock_s, told_ms = [], []
for _ in range(40):
    capture.read()
    clock_s.append(time.monotonic())
    told_ms.append(round(capture.get(cv2.CAP_PROP_POS_MSEC)))
capture.release()
print("between pictures 10 and 30, by the clock:", round(clock_s[30] - clock_s[10], 1), "s")
print("the same by POS_MSEC:", (told_ms[30] - told_ms[10]) / 1000, "s")
sys.exit(not (told_ms == [40 * number for number in range(40)] and clock_s[30] - clock_s[10] > 1.5))
PY

"$folder/env/bin/python" "$folder/camera.py"
