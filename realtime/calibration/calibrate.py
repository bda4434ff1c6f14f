"""Runs a calibration on request: guides the person, measures, saves the profile and reports the result."""

from __future__ import annotations

import logging

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.calibration.guide import Guide
from realtime.calibration.measure import measured, rolled_by_steps
from realtime.calibration.profile import ProfileError, save_profile
from realtime.calibration.watch import CameraWatch
from realtime.kernel.messages import Guidance, SolvedFrame

logger = logging.getLogger(__name__)

SHOWN_S = 6.0  # for which the final message stays visible


class Calibration:
    """State of one requested calibration. One thread calls `see`; any thread may read `guidance`."""

    def __init__(
        self,
        camera_name: str,
        body: BodyModel,
        watch: CameraWatch,
        *,
        stature_given: bool,
        roll_given: bool,
    ) -> None:
        """Store the inputs. body has the person's height; the two flags mark values from the user, which stay fixed."""
        self.guidance: Guidance | None = None  # message to show now
        self.outcome = ""  # one line, set at the end
        self._camera_name = camera_name
        self._body = body
        self._watch = watch
        self._stature_given = stature_given
        self._roll_given = roll_given
        self._guide = Guide()
        self._told = ""
        self._over_at: float | None = None

    def see(self, solved: SolvedFrame) -> None:
        """Process a frame. An error becomes the one-line outcome; the run continues."""
        t = solved.frame.t_capture
        if self.outcome:
            if self._over_at is None or not 0 <= t - self._over_at < SHOWN_S:
                self.guidance = None
            return
        guidance = self._guide.see(solved)
        if guidance.state == "done":
            guidance = self._keep(solved)
        self.guidance = guidance
        if guidance.state != "going":
            self._over_at = t
            self._conclude(guidance)
        elif guidance.text != self._told:
            self._told = guidance.text
            logger.info("calibration: %s", guidance.text)

    def end(self) -> str:
        """Finish after the last frame; return the outcome in one line."""
        if not self.outcome:
            self._conclude(self._guide.end())
        return self.outcome

    def _keep(self, solved: SolvedFrame) -> Guidance:
        """Measure the profile, apply it and save it."""
        standing, camera = self._guide.standing, self._watch.camera
        if not self._roll_given:
            camera = rolled_by_steps(camera, standing, *self._guide.sides)
        try:
            profile = measured(
                standing,
                camera,
                self._body,
                camera_name=self._camera_name,
                size=solved.frame.size,
                stature_given=self._stature_given,
            )
        except UserError as error:
            return Guidance(f"Not calibrated: {error}", 1.0, "failed")
        self._watch.take_up(profile.camera, solved.frame.size)
        try:
            path = save_profile(profile)
        except ProfileError as error:
            return Guidance(f"Calibrated for this run only: {error}", 1.0, "failed")
        logger.info("%s; kept in %s", profile, path)
        return Guidance(f"Calibrated: camera {profile.T_world_cam[1]:.2f} m above the floor", 1.0, "done")

    def _conclude(self, guidance: Guidance) -> None:
        self.outcome = guidance.text
        log = logger.info if guidance.state == "done" else logger.warning
        log("%s", guidance.text)
