"""The joint between two threads: newest-wins for a live camera, bounded and blocking where nothing may be lost."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelClosed(Exception):
    """No item is left and none will come, or the reader has gone."""


class Channel(Generic[T]):
    """A thread-safe queue of at most `capacity` items.

    `Channel.newest()` holds one item; a put replaces what was not taken in time and counts it in `dropped`.
    `Channel.bounded(n)` makes a full channel's writer wait; nothing is ever dropped.
    """

    def __init__(self, capacity: int, *, newest_wins: bool) -> None:
        self.dropped = 0
        self.wanted = threading.Event()  # set while a reader waits for an item: for writers whose items cost to make
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._closed = False
        self._changed = threading.Condition()

    @classmethod
    def newest(cls) -> Channel[T]:
        return cls(1, newest_wins=True)

    @classmethod
    def bounded(cls, capacity: int) -> Channel[T]:
        return cls(capacity, newest_wins=False)

    def put(self, item: T) -> None:
        """Hand over `item`. Raises ChannelClosed when the channel was closed, also while waiting for room."""
        with self._changed:
            if self._newest_wins and len(self._items) == self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                raise ChannelClosed
            self._items.append(item)
            self.wanted.clear()
            self._changed.notify_all()

    def get(self, timeout_s: float | None = None) -> T:
        """Take the oldest item. Raises TimeoutError after `timeout_s`, ChannelClosed once closed and empty."""
        with self._changed:
            if not self._items:
                self.wanted.set()
            if not self._changed.wait_for(lambda: self._items or self._closed, timeout_s):
                raise TimeoutError
            if not self._items:
                raise ChannelClosed
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """End the stream: what is held can still be taken, nothing more can be put. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close and throw away what is held: the way out when a stage has failed."""
        with self._changed:
            self._items.clear()
            self._closed = True
            self._changed.notify_all()
