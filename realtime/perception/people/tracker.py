"""Tracks people from frame to frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from realtime.kernel.lead import LEAD_S
from realtime.kernel.messages import Frame, Sighting
from realtime.perception.config import PerceptionConfig
from realtime.perception.image import check_image
from realtime.perception.people.appearance import Appearance
from realtime.perception.people.choice import Choice
from realtime.perception.people.encounters import Encounters
from realtime.perception.people.finder import Detect, Finder, Observe, is_person
from realtime.perception.people.identity import Identities
from realtime.perception.people.overlap import is_duplicate, is_seen_twice
from realtime.perception.people.renewal import Renewal
from realtime.perception.people.standing import State, proof
from realtime.perception.people.track import Crowd, Track
from realtime.perception.people.turns import Turns

logger = logging.getLogger(__name__)

HOLD = 0.04  # a track keeps its square while the next differs by less of its side: a third of a still person's jitter


class PeopleTracker:
    """Converter of frames to sightings, with state; feed it the frames of one source in order.

    `detect` finds people in a square of an image, `look` sees one person in a square. New people must earn their
    `Standing`. A sighting has people with a good frame so far, with those on trial or in doubt marked. A track ends
    with its standing, or with the frame in which the presence falls below `min_presence`. `Finder` tells where the
    detector runs. An image of another size restarts all tracks. With `turns`, people for whose look there is no time
    are `waiting` in a sighting; without, everybody is looked at in every frame. With `renewal`, people are found anew
    now and then. `live`: no frame waits for a search through all squares.
    """

    def __init__(
        self,
        detect: Detect,
        look: Observe,
        config: PerceptionConfig | None = None,
        turns: Turns | None = None,
        *,
        renewal: Renewal | None = None,
        live: bool = False,
    ) -> None:
        config = config or PerceptionConfig()
        self._look = look if turns is None else turns.timed(look)
        self._turns, self._renewal = turns, renewal
        self._min_presence = config.min_presence
        self._crowd = Crowd(config.max_people)
        self._identities = Identities(only=config.max_people == 1)
        self._encounters = Encounters(self._identities)
        self._choice = Choice(config.person)
        searched = self._crowd, self._identities, self._choice
        self._finder = Finder(detect, self._look, config, *searched, live=live)
        self._size: tuple[int, int] | None = None

    def observe(self, frame: Frame) -> Sighting:
        """Return the people in the frame, by id. Raises FrameError if the image is no (H, W, 3) uint8 array."""
        image, t = frame.image_bgr, frame.t_capture
        check_image(image)
        self._identities.forget(t, {track.id for track in self._crowd.people if track.id is not None})
        if self._size is not None and self._size != frame.size:
            self._begin_anew(self._size, frame.size, t)
        self._size = frame.size
        self._choice.width_px = frame.size[0]
        anew: list[Track] = []
        if self._renewal is not None and self._renewal.is_due(t):
            anew = self._finder.found_anew(image, t, len(self._crowd.people))
        self._follow(image, t, self._due(frame), anew)
        self._encounters.update(image, self._crowd.tracks, t)
        for view in self._finder.views(image):
            for track in self._finder.strangers(image, view, t, self._crowd.tracks):
                self._judge(image, track, t)
        if self._choice.is_asked():
            self._go_to_next(image, t)
        people, full = self._crowd.people, self._crowd.free <= 0
        performer = self._choice.update(people, self._identities.remembers, t, full=full)
        doubted, exchanged = self._encounters.doubted, self._encounters.exchanged
        told = self._crowd.told(doubted, exchanged, since=t)
        waiting = self._crowd.told(doubted, exchanged, before=t)
        return Sighting(frame, tuple(told), performer, tuple(waiting))

    def next_person(self) -> None:
        """Make the next person in view the performer, from the next frame on. Thread-safe."""
        self._choice.ask_for_next()

    def _due(self, frame: Frame) -> list[Track]:
        """Return those who are to be looked at."""
        if self._turns is None:
            return self._crowd.tracks
        return self._turns.due(self._crowd.tracks, frame.seq, frame.t_capture, self._choice.performer)

    def _follow(self, image: NDArray[np.uint8], t: float, due: list[Track], anew: Sequence[Track] = ()) -> None:
        """Look at those who are due; the others stay as they are. anew: people as this image alone shows them."""
        kept: list[Track] = []
        for track in self._crowd.tracks:
            if track not in due:
                kept.append(track)
                continue
            view = self._look(image, track.roi, self._crowd.cover(track.roi, track))
            if not is_person(view, image, self._min_presence):
                self._lose(track, t)
                continue
            roi = track.roi if track.roi.agrees(view.next_roi, HOLD) else view.next_roi
            if same := next((new for new in anew if is_duplicate(new.view, view)), None):
                view, roi = same.view, same.roi
            if not is_seen_twice(view, kept, new=track.is_new):  # the older track stays
                kept.append(replace(track, view=view, roi=roi, seen_t=t))
            else:  # it slid onto somebody else
                self._lose(track, t)
        self._crowd.tracks.clear()
        for track in sorted(kept, key=lambda track: not track.counts):
            if track.seen_t < t:
                self._crowd.tracks.append(track)
            else:
                self._judge(image, track, t)

    def _judge(self, image: NDArray[np.uint8], track: Track, t: float) -> None:
        """Keep the track with its new standing, if there is room."""
        before = track.standing.state
        state = track.standing.update(t, proof(track.view.body))
        if state == "lost":
            self._lose(track, t, before)
            return
        if not track.counts and not self._has_place(image, track, t):
            return
        if state == "trial":
            track.id = None
        elif track.id is None or state == "earning":
            self._name(image, track, t)
        elif state == "confirmed":
            self._identities.keep(track.id)
        self._crowd.tracks.append(track)

    def _name(self, image: NDArray[np.uint8], track: Track, t: float) -> None:
        """Give somebody new an id: that of a lost person, if they may be the same."""
        in_use = {other.id for other in self._crowd.people if other.id is not None}
        may_be_covered = self._encounters.may_cover(track.roi, self._crowd.people)
        look = None if may_be_covered else Appearance.of(image, track.view.body)
        track.id = self._identities.claim(track.roi, t, in_use, look, own=track.id)
        if track.wanted:
            self._choice.pin(track.id)

    def _has_place(self, image: NDArray[np.uint8], track: Track, t: float) -> bool:
        """Return whether there is a place for somebody new; who leads the weakest for some time takes theirs.

        Until then they are kept as a track without a number, one at a time.
        """
        free = self._crowd.free
        if free:
            found, lost = self._identities.recalled(track.roi, t), self._identities.lost_ids
            return track.wanted or not self._choice.is_waited_for(track.view, found, lost, free)
        weakest = self._choice.weakest(self._crowd.people, wanted=track.wanted)
        if weakest is None or self._crowd.on_trial:
            return False
        still = track.leads_since is not None
        if not track.wanted and not self._choice.leads(track.view, weakest.view, still=still):
            return False
        if track.leads_since is None:
            track.leads_since = t
        lasts = track.wanted or t - track.leads_since >= LEAD_S
        if track.standing.state == "confirmed" and lasts:
            self._name(image, track, t)  # while the other has theirs: this is somebody else
            self._crowd.tracks.remove(weakest)
            self._lose(weakest, t)
            logger.info("person %d leaves the place to somebody whom --person prefers", weakest.id)
            return True
        self._crowd.tracks.append(track)
        return False

    def _go_to_next(self, image: NDArray[np.uint8], t: float) -> None:
        """Make the next person in view the performer: one of the people, or somebody new who is looked for now."""
        known = self._crowd.people
        for view in self._finder.everywhere():
            for track in self._finder.strangers(image, view, t, known):
                state = track.standing.update(t, proof(track.view.body))
                known += [track] if state == "earning" else []  # no ghost is next
        person = self._choice.next_of(known)
        if person is None:
            logger.info("nobody else is in view")
        elif person.id is not None:
            self._choice.pin(person.id)
        else:
            self._crowd.tracks[:] = self._crowd.people
            person.wanted = True
            self._judge(image, person, t)

    def _lose(self, track: Track, t: float, state: State | None = None) -> None:
        if track.id is not None and (state or track.standing.state) in ("confirmed", "doubted"):
            self._identities.lose(track.id, track.roi, t)

    def _begin_anew(self, old: tuple[int, int], new: tuple[int, int], t: float) -> None:
        """Restart tracks, which are squares in pixels of the last image; people near their old place keep their ids."""
        for track in self._crowd.people:
            if track.id is not None:
                self._identities.lose(track.id, track.roi, t)
        self._crowd.tracks.clear()
        self._finder.begin_anew()
        self._identities.rescale(old, new)
