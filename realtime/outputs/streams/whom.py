"""Decides whom a stream of one person sends, as its address says: `?person=performer|nearest|ID|1st|2nd|...`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from realtime.kernel.messages import Person, SolvedFrame
from realtime.outputs.nearest import Nearest, by_id
from realtime.outputs.streams.url import StreamError, StreamUrl

KEPT_S = 2.0  # for which the place of somebody who left is theirs

# Returns whom to send of a frame's people, who are without those that cannot be sent; None: nobody.
Whom = Callable[[SolvedFrame, Sequence[Person]], Person | None]


def whom_of(url: StreamUrl) -> Whom:
    """Return the choice that an address asks for. Raises StreamError."""
    word = url.options.get("person", "performer")
    place = re.fullmatch(r"([1-9]\d?)(st|nd|rd|th)", word)
    if place and word == ordinal(int(place[1])):
        return Place(int(place[1]))
    if re.fullmatch(r"\d{1,9}", word):
        return lambda _, people: by_id(people, int(word))
    if word in ("performer", "nearest"):
        return Performer() if word == "performer" else Nearest()
    raise StreamError(
        f"'{url.text}': person is performer, nearest, an id such as 0, or a place such as 1st or 2nd, not '{word}'"
    )


def ordinal(number: int) -> str:
    """Return '1st', '2nd', '3rd', '4th' ..."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


class Performer:
    """The one whom `--person` and the user chose. A run without such a choice sends who was sent last, or the first."""

    def __init__(self) -> None:
        self._last: int | None = None

    def __call__(self, solved: SolvedFrame, people: Sequence[Person]) -> Person | None:
        if solved.performer is not None:
            return by_id(people, solved.performer)
        person = by_id(people, self._last) or next(iter(people), None)
        self._last = None if person is None else person.id
        return person


class Place:
    """The one who has a place: who comes takes the first free one, so nobody moves up when another leaves.

    A place is free two seconds after its owner left. Streams of one run see the same frames, and agree.
    """

    def __init__(self, number: int) -> None:
        self._number = number  # from 1
        self._owners: list[tuple[int, float]] = []  # id, and the time when they were seen last

    def __call__(self, solved: SolvedFrame, people: Sequence[Person]) -> Person | None:
        t, ids = solved.frame.t_capture, sorted(person.id for person in people)
        self._owners = [(i, t if i in ids else seen) for i, seen in self._owners]
        owned = {i for i, _ in self._owners}
        for newcomer in (i for i in ids if i not in owned):
            free = (k for k, (_, seen) in enumerate(self._owners) if not 0 <= t - seen <= KEPT_S)
            at = next(free, len(self._owners))
            self._owners[at : at + 1] = [(newcomer, t)]
        return by_id(people, self._owners[self._number - 1][0]) if self._number <= len(self._owners) else None
