"""Cuts long videos: their parts are looked at side by side, ahead of the run that solves them as a whole.

A part's job runs BlazePose alone and writes its answers (`realtime.perception.looks`). The video's own job then solves
every frame in order, as if nothing had been cut. It asks the networks only what no part has asked. So a part that fails
costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from contextlib import closing
from pathlib import Path

from engine.files.whole_file import whole_file
from engine.shipped import SUMS
from realtime.archive.job import LOOKS, Job, sha256_of, stamp_of
from realtime.capture.factory import quiet_libraries
from realtime.capture.reader import FrameReader
from realtime.capture.video import VideoSource, length_s
from realtime.kernel.messages import SAME_TIME_S
from realtime.perception.looks import SUFFIX, KeptLooks, KnownLooks


def parts_of(job: Job) -> int:
    """Return the number of parts into which a job's video is to be cut; 0: it is solved at once."""
    video = job.video
    if job.part is not None or job.part_s <= 0 or job.earlier or video.is_url:
        return 0
    if job.config.perception.backend == "mediapipe":  # its networks are its own
        return 0
    quiet_libraries()
    end_s = min(length_s(Path(video.path)), math.inf if video.end_s is None else video.end_s)
    count = math.ceil((end_s - video.start_s) / job.part_s - 0.1)  # no part is much shorter
    return count if count > 1 else 0


def known_looks(job: Job, stamp: str) -> KnownLooks | None:
    """Return the answers that the parts of the job's video have. Raises OSError."""
    folder = looks_folder(job, stamp)
    return KnownLooks(folder) if folder.is_dir() else None


def looks_folder(job: Job, stamp: str) -> Path:
    """Return the folder of the answers: of this input, these settings and these networks. stamp: of the input."""
    made_by = sha256_of(SUMS), importlib.metadata.version("openvino")
    known = "\0".join([job.video.id, stamp, job.settings, *made_by])
    return job.out / LOOKS / hashlib.sha256(known.encode()).hexdigest()[:24]


def look_at_part(job: Job) -> None:
    """Write the answers of the networks to a part of the job's video; one that is done is left. Raises UserError."""
    from realtime.perception.blazepose import BlazePose

    assert job.part is not None
    folder, config = looks_folder(job, stamp_of(job.video)), job.config
    begin_s, end_s = job.part * job.part_s, (job.part + 1) * job.part_s
    file = folder / f"{begin_s:09.3f}-{end_s:09.3f}{SUFFIX}"
    if file.exists():
        return
    quiet_libraries()
    source = VideoSource(Path(job.video.path), job.video.start_s, begin_s)
    source.open()
    with closing(source):
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as stream:
            blaze_pose = BlazePose(config.perception, looks=KeptLooks(stream))
            for frame in FrameReader(source, quarter_turns=config.camera.quarter_turns).every():
                if frame.t_capture >= end_s - SAME_TIME_S:
                    break
                blaze_pose.observe(frame)
