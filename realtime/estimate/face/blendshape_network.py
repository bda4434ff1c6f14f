"""A user's own network for the coefficients: face_blendshapes.tflite of a MediaPipe Face Landmarker .task file.

It takes 146 of the 478 points, in pixels, and gives 52 scores: '_neutral', then ARKit's names without tongueOut.
Landmarks and names are those of MediaPipe's face_blendshapes_graph.cc.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import engine.privacy  # noqa: F401  before openvino
from engine.body.expressions import BLENDSHAPES
from engine.engines.openvino_network import OpenVinoNetwork, read_network
from engine.errors import UserError

if TYPE_CHECKING:
    import openvino as ov

Array = NDArray[np.float32]

MEMBER = "face_blendshapes.tflite"
POINTS = np.array(
    [
        *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78),
        *(80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150),
        *(152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234),
        *(246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311),
        *(312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380),
        *(381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, 478)),
    ]
)
NAMES = ("_neutral", *(name for name in BLENDSHAPES if name != "tongueOut"))
_ORDER = [BLENDSHAPES.index(name) for name in NAMES[1:]]


class FaceModelError(UserError):
    """File of --face-model that cannot be used."""


class BlendshapeNetwork:
    """Network that gives the coefficients of a face."""

    def __init__(self, model: ov.Model) -> None:
        """Compile the graph. Raises ValueError for another one, RuntimeError where OpenVINO refuses it."""
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ValueError(f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs")
        model.reshape([1, len(POINTS), 2])
        network = OpenVinoNetwork(model, threads=1)
        ((self._input,), (output,)) = network.inputs.values(), network.outputs.values()
        if output.size != len(NAMES):
            raise ValueError(f"it has {output.size} scores")
        self._network, self._scores = network, output.reshape(-1)

    def __call__(self, image_px: Array) -> Array:
        """Return (52,) in the order of `BLENDSHAPES`, 0..1, for points (478, 2) in pixels; zeros if not finite."""
        self._input[...] = image_px[POINTS]
        self._network.infer()
        coefficients = np.zeros(len(BLENDSHAPES), np.float32)
        if np.isfinite(self._scores).all():
            coefficients[_ORDER] = self._scores[1:].clip(0.0, 1.0)
        return coefficients


def load_blendshape_network(path: Path) -> BlendshapeNetwork:
    """Load the network of a .task file. Raises FaceModelError, one line, for a file that is no such file."""
    expected = f"expected a MediaPipe Face Landmarker .task file that holds {MEMBER}"
    if not path.is_file():
        raise FaceModelError(f"there is no face model {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            data = archive.read(MEMBER)
    except KeyError as error:
        raise FaceModelError(f"{path} lacks {MEMBER}; {expected}") from error
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise FaceModelError(f"{path} cannot be read ({error}); {expected}") from error
    if data[4:8] != b"TFL3":
        raise FaceModelError(f"{MEMBER} in {path} is not a TensorFlow Lite file; download the .task file again")
    try:
        with tempfile.TemporaryDirectory(prefix="tokenmocap-", ignore_cleanup_errors=True) as folder:
            file = Path(folder) / MEMBER
            file.write_bytes(data)
            return BlendshapeNetwork(read_network(file, stays=False))
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise FaceModelError(
            f"{MEMBER} in {path} cannot be used ({reason}); it must take 1x{len(POINTS)}x2 and give {len(NAMES)}"
        ) from error
