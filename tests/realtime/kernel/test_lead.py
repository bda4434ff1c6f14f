"""A lead that lasts, and a clock that does not."""

from __future__ import annotations

from realtime.kernel.lead import LEAD_S, Lead


def test_a_lead_lasts_after_its_time_and_begins_anew_with_another_pair() -> None:
    lead = Lead()
    assert [lead.lasts((1, 0), t) for t in (0.0, 0.25, LEAD_S)] == [False, False, True]
    assert not lead.lasts((2, 0), LEAD_S)
    assert not lead.has_begun((1, 0))
    assert not lead.lasts(None, 10.0)


def test_a_clock_set_back_by_an_hour_does_not_hold_a_lead_up() -> None:
    lead = Lead()
    lead.lasts((1, 0), 3600.0)
    assert not lead.lasts((1, 0), 10.0)
    assert lead.lasts((1, 0), 10.0 + LEAD_S)
