"""Solves one video in this process: the offline run, its measures, and its folder, which appears whole."""

from __future__ import annotations

import gc
import hashlib
import importlib.metadata
import logging
import platform
import shutil
import time
import uuid
from dataclasses import replace
from pathlib import Path

import cv2

from engine.body.files import load_body
from engine.engines.kept_network import keep_in_memory
from engine.errors import UserError
from engine.files.whole_file import sync_folder
from engine.shipped import SUMS
from realtime.archive.job import TAKE, WORK, Job, Solved, copy_of, local_file, sha256_of, stamp_of
from realtime.archive.results.quality import TakeQuality, take_quality
from realtime.archive.results.record import LOG, THUMBNAIL, Record, SolvedCamera
from realtime.archive.results.thumbnail import Moments
from realtime.archive.solving.failure import in_one_line, is_out_of_memory
from realtime.archive.solving.log import logged
from realtime.archive.solving.parts import known_looks, look_at_part, looks_folder, parts_of
from realtime.archive.solving.video_clock import VideoClock
from realtime.kernel.messages import SolvedFrame
from realtime.run.app import App
from realtime.run.report import Report

logger = logging.getLogger(__name__)

_is_worker = False


def become_worker() -> None:
    """Make this process one that solves video after video: it keeps its networks, and leaves other cores alone.

    Idempotent.
    """
    global _is_worker
    _is_worker = True
    keep_in_memory()
    cv2.setNumThreads(1)
    logging.getLogger().setLevel(logging.INFO)


def solve(job: Job) -> Solved:
    """Solve a video, or look at a part of one, or tell that it is to be cut. Nothing is raised.

    The folder of a solved video is in place when this returns. A failure is a record of one line.
    """
    if count := parts_of(job):
        return Solved(None, parts=count)
    began_cpu_s = time.process_time() - job.parts_cpu_s
    if job.part is not None:
        return _looked_at(job, began_cpu_s)
    work = job.out / WORK / f"{hashlib.sha256(job.video.id.encode()).hexdigest()[:12]}-{uuid.uuid4().hex[:8]}"
    stamp = ""
    try:
        work.mkdir(parents=True)
        with logged(work, job.done_folder, job.out) as warnings:
            try:
                stamp = stamp_of(job.video)
                record = _solved(job, work, stamp)
            except Exception:
                logger.debug("the failure's traceback", exc_info=True)
                raise
            finally:
                gc.collect()  # a run's frames are in cycles
        if job.earlier is not None and record.sha256 == job.earlier.sha256:
            record.write(job.done_folder)
            return Solved(record)
        _pass_over_what_stays()
        record = replace(record, warnings=tuple(warnings), cpu_s=time.process_time() - began_cpu_s)
        record.write(work)
        publish(work, job.done_folder, job.out)
        shutil.rmtree(job.failure_folder, ignore_errors=True)
        shutil.rmtree(looks_folder(job, stamp), ignore_errors=True)
        return Solved(record)
    except Exception as error:  # noqa: BLE001  one video that fails, however it does, must not end the others
        line = in_one_line(error).replace(str(copy_of(job.video, work)), job.video.path)
        record = job.failed(line, stamp, cpu_s=time.process_time() - began_cpu_s)
        _keep_failure(job, record, work)
        return Solved(record, out_of_memory=is_out_of_memory(error))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _pass_over_what_stays() -> None:
    """Let a worker's collections leave out what its first video has brought and all need: each takes 1 ms, not 40.

    To be called right after a collection, or garbage stays too.
    """
    if _is_worker and gc.get_freeze_count() == 0:
        gc.freeze()


def _looked_at(job: Job, began_cpu_s: float) -> Solved:
    failed, out_of_memory = "", False
    try:
        look_at_part(job)
    except Exception as error:  # noqa: BLE001  the video is solved without it
        failed, out_of_memory = in_one_line(error), is_out_of_memory(error)
    return Solved(None, failed, out_of_memory, cpu_s=time.process_time() - began_cpu_s)


def publish(work: Path, place: Path, out: Path) -> None:
    """Move a whole folder to its place; one that is there goes first. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    sync_folder(work)
    if place.exists():
        old = out / WORK / f"old-{uuid.uuid4().hex[:8]}"
        place.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    work.rename(place)
    sync_folder(place.parent)


def _solved(job: Job, work: Path, stamp: str) -> Record:
    """Run the job; the record is without what is known at its end only."""
    with local_file(job.video, work) as file:
        if not file.is_file():  # the source tells why
            sha256, size = "", 0
        else:
            sha256, size = sha256_of(file), file.stat().st_size
        if job.earlier is not None and sha256 == job.earlier.sha256:
            return replace(job.earlier, stamp=stamp, columns=job.video.columns)
        moments, clock = Moments(), VideoClock()

        def see(solved: SolvedFrame) -> None:
            clock.see(solved)
            moments.see(solved)

        looks = known_looks(job, stamp)
        with App(job.run_config(file, work), on_solved=see, looks=looks) as app:
            report = app.run()
        if looks is not None:
            logger.info("of %d looks %d were known from the parts", looks.asked, looks.known)
    if report.failed:
        raise UserError("; ".join(outcome.failed for outcome in report.outcomes if outcome.failed))
    moments.write(work / THUMBNAIL, load_body(job.config.drawn_body))
    takes = tuple(take_quality(path, clock.seconds) for path in sorted(work.glob("take*.npz"), key=_by_number))
    frames = report.frames_solved + report.frames_empty
    camera = report.camera
    return job.record(
        "done",
        stamp,
        sha256=sha256,
        bytes=size,
        frames=frames,
        people=len(takes),
        seconds=clock.seconds,
        fps=clock.fps,
        width_px=clock.size_px[0],
        height_px=clock.size_px[1],
        coverage=report.frames_solved / frames if frames else 0.0,
        confidence=_mean(takes, "confidence"),
        contact_quality=_mean(takes, "contact_quality"),
        camera=SolvedCamera(camera.fov_deg, camera.pitch_deg, camera.roll_deg, camera.source, camera.doubt_deg),
        takes=takes,
        versions=versions(report),
    )


def versions(report: Report) -> dict[str, str]:
    """Name the software that solved a video."""
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "opencv-python", "openvino")}
    try:
        own = importlib.metadata.version("tokenmocap")
    except importlib.metadata.PackageNotFoundError:
        own = "checkout"
    return {
        "tokenmocap": own,
        "networks": sha256_of(SUMS)[:12],
        "estimator": f"{report.estimator} by {report.backend}",
        "perception": report.perception,
        "body": report.body,
        "python": platform.python_version(),
        **packages,
    }


def _keep_failure(job: Job, record: Record, work: Path) -> None:
    """Put the record and the log of a failure in place, as far as the disk permits."""
    try:
        job.failure_folder.mkdir(parents=True, exist_ok=True)
        if (work / LOG).exists():
            (work / LOG).replace(job.failure_folder / LOG)
        record.write(job.failure_folder)
    except OSError as error:
        logger.error("cannot keep the failure of %s: %s", job.video.id, error.strerror or error)


def _mean(takes: tuple[TakeQuality, ...], measure: str) -> float | None:
    """Average a measure over the people, each by the time that they were seen."""
    values: list[tuple[float, float]] = [(getattr(take, measure), take.coverage) for take in takes]
    known = [(value, weight) for value, weight in values if value is not None]
    whole = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / whole if whole > 0 else None


def _by_number(path: Path) -> int:
    """Order take.npz, take.p2.npz ... take.p10.npz."""
    return 1 if path.name == TAKE else int(path.name.split(".p")[1].split(".")[0])
