"""Writes OpenUSD with Pixar's library: skinned body, skeleton and motion. Metres, Y up, faces +Z, as here.

Blender would write Z up and use the first frame as the rest pose (4.5 and 5.0).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.body.mesh import INFLUENCES
from engine.body.model import Array
from engine.body.skeleton import Skeleton
from engine.files.whole_file import whole_file
from realtime.outputs.export import ExportError, ExportOptions
from realtime.outputs.export.motion import motion, moved_joints
from realtime.outputs.export.shape import StandingBody, standing_body
from realtime.outputs.recording.session import SessionHead

_SKIN_RGB = (0.75, 0.55, 0.42)
_SAVED_FRAMES = 50_000  # frames after which the binary file is saved, which frees memory


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write `out` (.usd and .usdc binary, .usda text), one time code a frame.

    Raises ExportError, BodyFileError, OSError.
    """
    try:
        from pxr import Tf
    except ImportError as error:
        raise ExportError(f"writing {out.suffix} needs OpenUSD: pip install usd-core; or export .glb") from error
    body = standing_body(session, options.body)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"session{out.suffix.lower()}"
        try:
            _make(made, session, body)
        except Tf.ErrorException as error:
            reason = re.search(r": '([^']*)'", str(error))
            raise ExportError(f"cannot write {out}: {reason[1] if reason else 'OpenUSD failed'}") from error
        with whole_file(out) as file, made.open("rb") as source:
            shutil.copyfileobj(source, file)


def _make(made: Path, session: SessionHead, body: StandingBody) -> None:
    """Write a new file. Raises Tf.ErrorException on a disk error."""
    from pxr import Usd, UsdGeom

    rate = round(session.mocap_framerate)
    stage = Usd.Stage.CreateNew(str(made))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(rate)
    stage.SetFramesPerSecond(rate)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(session.frames - 1)
    _add_character(stage, session, body)
    stage.Save()


def _add_character(stage: Any, session: SessionHead, body: StandingBody) -> None:
    """Add a root that binds mesh, skeleton and animation (UsdSkel's schemas)."""
    from pxr import Sdf, UsdGeom, UsdSkel

    root = UsdSkel.Root.Define(stage, "/Body")
    stage.SetDefaultPrim(root.GetPrim())
    skeleton = UsdSkel.Skeleton.Define(stage, "/Body/Skeleton")
    skeleton.CreateJointsAttr(_joint_paths(body.skeleton))
    skeleton.CreateBindTransformsAttr(_translations(body.joints))
    skeleton.CreateRestTransformsAttr(_translations(body.offsets))
    animation = UsdSkel.Animation.Define(stage, "/Body/Skeleton/Motion")
    _tell_contacts(animation.GetPrim(), session)
    _tell_face(animation, session)
    for frame in _animate(animation, session, body):
        if frame % _SAVED_FRAMES == 0 and not stage.GetRootLayer().identifier.endswith(".usda"):
            stage.Save()
    mesh = UsdGeom.Mesh.Define(stage, "/Body/Mesh")
    _shape(mesh, body)
    _paint(stage, mesh)
    for prim in (root.GetPrim(), skeleton.GetPrim(), mesh.GetPrim()):
        UsdSkel.BindingAPI.Apply(prim)
    _add_expressions(stage, mesh, body)
    skeleton_binding = UsdSkel.BindingAPI(skeleton.GetPrim())
    skeleton_binding.CreateAnimationSourceRel().SetTargets([Sdf.Path("/Body/Skeleton/Motion")])
    binding = UsdSkel.BindingAPI(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateJointIndicesPrimvar(False, INFLUENCES).Set(body.influences.astype(np.int32).reshape(-1))
    binding.CreateJointWeightsPrimvar(False, INFLUENCES).Set(body.weights.reshape(-1))


def _add_expressions(stage: Any, mesh: Any, body: StandingBody) -> None:
    """Add a blend shape for each expression that moves vertices of the body."""
    from pxr import Sdf, UsdSkel, Vt

    moving = {name: away for name, away in body.expressions.items() if away.any()}
    if not moving:
        return
    for name, away in moving.items():
        shape, moved = UsdSkel.BlendShape.Define(stage, f"/Body/Mesh/{name}"), np.flatnonzero(away.any(axis=1))
        shape.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(away[moved]))
        shape.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(moved.astype(np.int32)))
    binding = UsdSkel.BindingAPI(mesh.GetPrim())
    binding.CreateBlendShapesAttr(list(moving))
    binding.CreateBlendShapeTargetsRel().SetTargets([Sdf.Path(f"/Body/Mesh/{name}") for name in moving])


def _joint_paths(skeleton: Skeleton) -> list[str]:
    paths: list[str] = []
    for joint, name in enumerate(skeleton.names):
        paths.append(name if joint == 0 else f"{paths[skeleton.parents[joint]]}/{name}")
    return paths


def _translations(points: Array) -> Any:
    """Convert (J, 3) to translation matrices. USD multiplies row vectors, so the last row is the position."""
    from pxr import Gf, Vt

    return Vt.Matrix4dArray([Gf.Matrix4d(1.0).SetTranslate(Gf.Vec3d(*point)) for point in points.tolist()])


def _animate(animation: Any, session: SessionHead, body: StandingBody) -> Iterator[int]:
    """Set the joints frame by frame; yield each frame number when it is complete."""
    from pxr import Gf, Vt

    animation.CreateJointsAttr(_joint_paths(body.skeleton))
    animation.CreateScalesAttr(Vt.Vec3hArray(len(body.skeleton), Gf.Vec3h(1.0)))
    translations, rotations = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    places, moved = body.offsets.copy(), moved_joints(body.skeleton)
    turns = np.zeros((len(body.skeleton), 4), np.float32)
    turns[:, 3] = 1.0
    frames = (frame for block in motion(session, body.skeleton) for frame in zip(*block, strict=True))
    for frame, (pelvis, quaternions) in enumerate(frames):
        places[0] = pelvis
        turns[moved] = quaternions
        translations.Set(Vt.Vec3fArray.FromNumpy(places), frame)
        rotations.Set(Vt.QuatfArray.FromNumpy(turns), frame)
        yield frame


def _tell_contacts(prim: Any, session: SessionHead) -> None:
    """Add the contacts of heels and toes as an attribute of the motion, if the session has them."""
    from pxr import Gf, Sdf

    if not session.has_contacts:
        return
    attribute = prim.CreateAttribute("userProperties:contacts", Sdf.ValueTypeNames.Float4)
    rows = (row for (contacts,) in session.blocks("contacts") for row in contacts.tolist())
    for frame, row in enumerate(rows):
        attribute.Set(Gf.Vec4f(*row), frame)


def _tell_face(animation: Any, session: SessionHead) -> None:
    """Add the face's coefficients as weights of blend shapes by name, which a character may have, if there are any."""
    from pxr import Vt

    if session.face_names is None:
        return
    animation.CreateBlendShapesAttr(session.face_names.tolist())
    weights = animation.CreateBlendShapeWeightsAttr()
    rows = (row for (block,) in session.blocks("face_blendshapes") for row in block)
    for frame, row in enumerate(rows):
        weights.Set(Vt.FloatArray.FromNumpy(row.astype(np.float32)), frame)


def _shape(mesh: Any, body: StandingBody) -> None:
    from pxr import UsdGeom, Vt

    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(body.vertices))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(body.normals))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateFaceVertexCountsAttr(np.full(len(body.faces), 3, np.int32))
    mesh.CreateFaceVertexIndicesAttr(body.faces.astype(np.int32).reshape(-1))
    mesh.CreateExtentAttr([body.vertices.min(0).tolist(), body.vertices.max(0).tolist()])
    mesh.CreateDisplayColorAttr([_SKIN_RGB])


def _paint(stage: Any, mesh: Any) -> None:
    """Add the skin's material, because Blender and others show a mesh without one in white."""
    from pxr import Sdf, UsdShade

    material = UsdShade.Material.Define(stage, "/Body/Skin")
    shader = UsdShade.Shader.Define(stage, "/Body/Skin/Surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(_SKIN_RGB)
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.8)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)
