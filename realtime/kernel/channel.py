"""Connects two threads: newest-wins for a live camera, bounded and blocking for lossless processing."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelClosed(Exception):
    """Channel without items that is closed, or whose reader has gone."""


class Channel(Generic[T]):
    """Thread-safe queue of at most `capacity` items.

    `Channel.newest()` holds one item; a put replaces an item not taken in time and counts it in `dropped`.
    `Channel.bounded(n)` makes the writer wait for a full channel; nothing is ever dropped.
    """

    def __init__(self, capacity: int, *, newest_wins: bool) -> None:
        self.dropped = 0
        self.wanted = threading.Event()  # set while a reader waits: for writers whose items are costly to make
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
        """Make a channel that blocks its writer when full."""
        return cls(capacity, newest_wins=False)

    @property
    def waiting(self) -> int:
        """Return the number of items that were not taken yet."""
        return len(self._items)

    def put(self, item: T) -> None:
        """Put `item`. Raises ChannelClosed if the channel is closed, also while waiting for space."""
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
        """End the stream: queued items can still be taken, but none added. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close and drop queued items, after a stage has failed."""
        with self._changed:
            self._items.clear()
            self._closed = True
            self._changed.notify_all()
