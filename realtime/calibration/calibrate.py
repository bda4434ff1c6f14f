"""A calibration that was asked for: it leads, measures, keeps what came of it, and says so."""

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

SHOWN_S = 6.0  # that the last word stays in view


class Calibration:
    """`see` belongs to one thread; `guidance` may be read from any."""

    def __init__(
        self,
        camera_name: str,
        body: BodyModel,
        watch: CameraWatch,
        *,
        stature_given: bool,
        roll_given: bool,
    ) -> None:
        """body is at the person's height; the last two say what the user gave, which steps do not change."""
        self.guidance: Guidance | None = None  # to be shown now
        self.outcome = ""  # one line, once it is over
        self._camera_name = camera_name
        self._body = body
        self._watch = watch
        self._stature_given = stature_given
        self._roll_given = roll_given
        self._guide = Guide()
        self._told = ""
        self._over_at: float | None = None

    def see(self, solved: SolvedFrame) -> None:
        """Take in a frame. What goes wrong is told in one line; the run goes on."""
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
        """No frame comes any more; how it ended, in one line."""
        if not self.outcome:
            self._conclude(self._guide.end())
        return self.outcome

    def _keep(self, solved: SolvedFrame) -> Guidance:
        """Measure, use from now on, and write down."""
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
