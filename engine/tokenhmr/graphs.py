"""Names and shapes of an engine's two graphs, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.body.skeleton import NUM_BODY_JOINTS
from engine.camera import CROP_SIZE_PX

NETWORK, DECODER = "network", "decoder"
GRAPHS = (NETWORK, DECODER)


@dataclass(frozen=True)
class GraphShapes:
    """Inputs and outputs by name, without the batch dimension. All are fp32."""

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]


def graph_shapes(tokens: int, codes: int) -> dict[str, GraphShapes]:
    """Return the shapes of `network` (crops to rotations) and `decoder` (token probabilities to rotations)."""
    probabilities = {"token_probabilities": (tokens, codes)}
    pose = {"global_orient": (1, 3, 3), "body_pose": (23, 3, 3), "betas": (10,), "cam": (3,)}
    return {
        NETWORK: GraphShapes({"images": (3, CROP_SIZE_PX, CROP_SIZE_PX)}, {**probabilities, **pose}),
        DECODER: GraphShapes(probabilities, {"body_rotmats": (NUM_BODY_JOINTS, 3, 3)}),
    }
