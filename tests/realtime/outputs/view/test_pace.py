from __future__ import annotations

import pytest

from realtime.outputs.view.viewer import Pace


class Machine:
    """A clock, and the processor time of a process that draws."""

    def __init__(self, cores: float) -> None:
        self.now_s, self.spent_s = 100.0, 5.0
        self.pace = Pace(30.0, cores, clock=lambda: self.now_s, spent=lambda: self.spent_s)

    def rate(self, takes_s: float, costs_s: float) -> float:
        """Drawings a second, each of so much time and processor time."""
        for _ in range(60):
            began_s = self.now_s
            self.pace.start()
            self.now_s += takes_s
            self.spent_s += costs_s
            self.pace.done()
            self.now_s += self.pace.wait_s()
        return 1 / (self.now_s - began_s)


def test_a_drawing_is_due_a_period_after_the_last_began():
    machine = Machine(cores=0.25)
    assert machine.pace.wait_s() == 0.0
    machine.pace.start()
    machine.now_s += 0.005
    machine.pace.done()
    assert machine.pace.wait_s() == pytest.approx(1 / 30 - 0.005)


def test_waiting_for_the_screen_costs_no_rate():
    """A graphics card's drawing waits for the screen: 15 a second, where it may take a quarter of the time."""
    assert Machine(cores=0.25).rate(takes_s=0.0166, costs_s=0.004) == pytest.approx(30.0, rel=1e-3)


def test_drawing_in_software_uses_no_more_cores_than_it_may():
    assert Machine(cores=0.25).rate(takes_s=0.03, costs_s=0.05) * 0.05 == pytest.approx(0.25, rel=1e-3)
    assert Machine(cores=2.0).rate(takes_s=0.03, costs_s=0.05) == pytest.approx(30.0, rel=1e-3)
