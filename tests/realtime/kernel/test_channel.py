from __future__ import annotations

import threading

import pytest

from realtime.kernel.channel import Channel, ChannelClosed


def test_newest_wins_and_counts_what_it_replaced() -> None:
    channel: Channel[int] = Channel.newest()
    for item in range(5):
        channel.put(item)
    assert channel.get() == 4
    assert channel.dropped == 4


def test_who_waits_is_known_to_the_writer() -> None:
    channel: Channel[int] = Channel.newest()
    assert not channel.wanted.is_set()
    reader = threading.Thread(target=channel.get, args=(5.0,))
    reader.start()
    assert channel.wanted.wait(5.0)
    channel.put(1)
    reader.join(5.0)
    assert not channel.wanted.is_set()
    channel.put(2)
    assert channel.get() == 2
    assert not channel.wanted.is_set()


def test_bounded_makes_the_writer_wait_and_keeps_order() -> None:
    channel: Channel[int] = Channel.bounded(2)
    taken: list[int] = []

    def write() -> None:
        for item in range(50):
            channel.put(item)
        channel.close()

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(ChannelClosed):
        while True:
            taken.append(channel.get(timeout_s=5))
    writer.join(5)
    assert taken == list(range(50))
    assert channel.dropped == 0


def test_close_lets_the_reader_finish_what_is_held() -> None:
    channel: Channel[str] = Channel.bounded(3)
    channel.put("a")
    channel.close()
    assert channel.get() == "a"
    with pytest.raises(ChannelClosed):
        channel.get()
    with pytest.raises(ChannelClosed):
        channel.put("b")


def test_a_waiting_writer_and_a_waiting_reader_are_woken_by_the_end() -> None:
    full: Channel[int] = Channel.bounded(1)
    full.put(0)
    empty: Channel[int] = Channel.bounded(1)
    woken: list[str] = []

    def write() -> None:
        with pytest.raises(ChannelClosed):
            full.put(1)
        woken.append("writer")

    def read() -> None:
        with pytest.raises(ChannelClosed):
            empty.get()
        woken.append("reader")

    threads = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    full.abandon()
    empty.close()
    for thread in threads:
        thread.join(5)
    assert sorted(woken) == ["reader", "writer"]


def test_get_times_out() -> None:
    with pytest.raises(TimeoutError):
        Channel.newest().get(timeout_s=0.01)
