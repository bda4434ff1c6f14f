"""Make the face's rig that ships with the project: rendered heads of adults, as MediaPipe's face networks see them.

    python -m training.face --mesh face_landmark.tflite --iris iris_landmark.tflite [--out face.npz]

`python -m realtime.assets` fetches the two networks and prints their paths. The same command gives the same rig again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from engine.body.expressions import BLENDSHAPES
from engine.errors import UserError, nearest
from engine.face.rig import FaceRig, load_rig
from engine.flags import command_line
from training.face.measures import measure
from training.face.painted_head import PaintedHead
from training.face.rig_maker import Found, make_rig, other_side
from training.face.seen_face import SeenFace

UNITS = tuple(name for name in BLENDSHAPES if name != "tongueOut")


@command_line("training.face")
def main(
    *,
    mesh: Annotated[Path, Parameter(metavar="FILE", help="face_landmark.tflite")],
    iris: Annotated[Path, Parameter(metavar="FILE", help="iris_landmark.tflite")],
    out: Annotated[Path, Parameter(metavar="NPZ")] = Path("assets/face.npz"),
    heads: Annotated[int, Parameter(metavar="N", help="adults who act")] = 6,
    people: Annotated[int, Parameter(metavar="N", help="adults at rest")] = 100,
    size_px: Annotated[int, Parameter(metavar="N", help="side of a picture")] = 320,
    seed: int = 0,
    units: Annotated[tuple[str, ...], Parameter(consume_multiple=True, metavar="NAME")] = UNITS,
) -> int:
    """Make the face's rig again, and print how well each unit is found."""
    _check(units, heads, people)
    measures = measure(
        PaintedHead(), SeenFace(mesh, iris), units, heads=heads, people=people, size_px=size_px, seed=seed
    )
    rig, found = make_rig(measures)
    _write(out, rig)
    print("\n".join(_table(found)))
    print("\n".join((f"{out}: {len(rig.units)} units, {out.stat().st_size / 1e6:.2f} MB", _beside(rig))))
    return 0


def _check(units: tuple[str, ...], heads: int, people: int) -> None:
    for name in units:
        if name not in UNITS:
            raise UserError(f"no unit {name}; did you mean {nearest(name, UNITS)}?")
    needed = {"jawOpen", "mouthClose", *map(other_side, units)}  # the solver closes lips over an open jaw
    if lacking := sorted(needed - set(units)):
        raise UserError(f"--units lacks {', '.join(lacking)}: a rig has both sides, jawOpen and mouthClose")
    if heads < 2 or people < 2:
        raise UserError("--heads and --people must be 2 or more: half of the heads are left out in turn")


def _write(path: Path, rig: FaceRig) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        allow_pickle=False,
        names=np.array([BLENDSHAPES[unit] for unit in rig.units]),
        neutral_m=rig.neutral_m,
        moves_m=rig.moves_m.astype(np.float16),
        pull=rig.pull.astype(np.float16),
        coupling=rig.coupling,
        gain=rig.gain,
    )


def _table(found: dict[str, list[Found]]) -> list[str]:
    """Return rows of the table in docs/hands-face.md, of both sides together."""
    rows = ["| coefficient | alone at 1 | largest other |", "|---|---|---|"]
    for name, own in found.items():
        both = own + found[other_side(name)] if other_side(name) != name else own
        own_mean, other_mean = np.mean([(each.own, each.other) for each in both], axis=0)
        rows.append(f"| `{name}` | {own_mean:.2f} | {other_mean:.2f} |")
    return rows


def _beside(rig: FaceRig) -> str:
    """Tell how far the points of this rig are from those of the shipped one."""
    shipped = load_rig()
    width_m = float(np.linalg.norm(shipped.neutral_m[33] - shipped.neutral_m[263]))
    off = [100 * np.linalg.norm(rig.neutral_m - shipped.neutral_m, axis=1) / width_m]
    rows = [(list(rig.units).index(unit), list(shipped.units).index(unit)) for unit in rig.units]
    off.append(
        np.concatenate([100 * np.linalg.norm(rig.moves_m[a] - shipped.moves_m[b], axis=1) for a, b in rows]) / width_m
    )
    texts = [
        f"{what} {np.median(d):.2f} % in the median, {d.max():.1f} % at most"
        for what, d in zip(("neutral", "units"), off, strict=True)
    ]
    return f"beside the shipped rig, in % between the eyes' outer corners: {'; '.join(texts)}"
