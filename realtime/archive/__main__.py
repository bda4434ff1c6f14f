"""Solves every video of a folder, a pattern or a table: `python -m realtime.archive IN OUT`."""

from __future__ import annotations

import inspect
import logging
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from cyclopts import Group, Parameter

from engine.command import EXIT_FAILED
from engine.errors import UserError
from engine.flags import command_line
from realtime.archive.archive import Archive, Plan, opened
from realtime.archive.cut import part_length_s
from realtime.archive.results.quality import conditions_of
from realtime.archive.results.record import OWN_COLUMNS
from realtime.archive.videos import find_videos
from realtime.archive.workers.contract import Workers
from realtime.archive.workers.processes import ProcessWorkers
from realtime.run.command import SETTINGS, configured
from realtime.run.config import POSE

logger = logging.getLogger("realtime.archive")

ARCHIVE = Group("the archive", sort_key=0)
_ONE_CAMERAS = ("calibrate",)  # settings of the pose that make no sense for many videos


def _archive(
    inputs: Annotated[str, Parameter("IN", help="a folder, a pattern such as 'clips/**/*.mp4', or a table")],
    out: Annotated[Path, Parameter("OUT", help="a folder for the results; what is done there is not done again")],
    /,
    *,
    workers: Annotated[
        int | None, Parameter(group=ARCHIVE, metavar="N", help="videos at once (default: as many as cores)")
    ] = None,
    ray: Annotated[
        str | None,
        Parameter(group=ARCHIVE, metavar="ADDRESS", help="solve on a Ray cluster; local: on one of this machine"),
    ] = None,
    layout: Annotated[
        Literal["takes", "amass"], Parameter(group=ARCHIVE, help="amass: also a data set as AMASS lays it out")
    ] = "takes",
    filter_: Annotated[
        tuple[str, ...],
        Parameter("--filter", group=ARCHIVE, metavar="CONDITION", help="whom to keep, such as coverage>=0.8"),
    ] = (),
    keep_free: Annotated[
        float, Parameter(group=ARCHIVE, metavar="GB", help="begin no video while less of the disk is free")
    ] = 2.0,
    part_minutes: Annotated[
        int,
        Parameter(
            group=ARCHIVE,
            metavar="M",
            help="cut longer videos into parts of so many minutes, where workers would stand idle; 0: never",
        ),
    ] = 5,
    **settings: Any,
) -> int:
    """Every video of a folder or a list becomes a body's motion, with a manifest."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if workers is not None and workers < 1:
        raise UserError(f"--workers must be 1 or more, not {workers}")
    if part_minutes < 0:
        raise UserError(f"--part-minutes must be 0 or more, not {part_minutes}")
    config, conditions = configured(**settings), conditions_of(filter_)
    found = find_videos(inputs, OWN_COLUMNS)
    with opened(out):
        plan = Plan(
            *(found, out, config, conditions, layout == "amass", int(keep_free * 1e9)),
            part_s=part_length_s(part_minutes, config.perception.renew_every_s),
        )
        archive = Archive(plan)
        for folder, why in found.unreadable.items():
            logger.error("%s cannot be searched: %s", folder, why)
        crew = _workers(ray, workers)
        logger.info("%d videos, %d done before; %s", len(found.videos), len(archive.done), crew.description)
        archive.run(crew)
    for record in archive.failed:
        print(f"{record.id}: {record.error}", file=sys.stderr)
    print(f"{len(archive.done)} of {len(found.videos)} videos are in {out}; {out / 'index.html'} shows them")
    whole = len(archive.done) == len(found.videos) and not found.unreadable
    return 0 if whole else EXIT_FAILED


def _workers(ray: str | None, count: int | None) -> Workers:
    if ray is None:
        return ProcessWorkers(count)
    from realtime.archive.workers.ray_workers import RayWorkers

    return RayWorkers(ray, count)


def _shared() -> list[inspect.Parameter]:
    """List the flags of a run that tell how the pose is found, and --config."""
    of_pose = [
        setting.parameter
        for name, setting in SETTINGS.items()
        if name not in _ONE_CAMERAS and any(POSE in each.group for each in setting.parameter.annotation.__metadata__)
    ]
    config = inspect.signature(configured).parameters["config"]
    return [*of_pose, config.replace(annotation=get_type_hints(configured, include_extras=True)["config"])]


_own = [each for each in inspect.signature(_archive, eval_str=True).parameters.values() if each.name != "settings"]
_archive.__dict__["__signature__"] = inspect.Signature([*_own, *_shared()])
main = command_line("realtime.archive")(_archive)

if __name__ == "__main__":
    sys.exit(main())
