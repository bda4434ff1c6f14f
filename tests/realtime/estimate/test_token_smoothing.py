from __future__ import annotations

import numpy as np
import pytest

from realtime.estimate.tokens import TokenSmoothing, TokenWindow

RULE = TokenSmoothing(window_s=0.1, takeover=2.0)


def p(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def test_the_first_frame_passes_unchanged() -> None:
    np.testing.assert_array_equal(TokenWindow().update(1.0, p(0.7, 0.3), RULE), p(0.7, 0.3))


def test_while_the_incumbent_stays_probabilities_are_averaged_in_real_time() -> None:
    window = TokenWindow()
    window.update(0.0, p(0.9, 0.1), RULE)
    found = window.update(0.05, p(0.6, 0.4), RULE)
    share = 1 - np.exp(-0.05 / 0.1)
    np.testing.assert_allclose(found, p(0.9 - 0.3 * share, 0.1 + 0.3 * share), rtol=1e-6)


def test_flicker_between_near_equal_codes_is_averaged_away() -> None:
    window = TokenWindow()
    found = [window.update(k / 30, p(0.5 + 0.1 * (-1) ** k, 0.5 - 0.1 * (-1) ** k), RULE)[0, 0] for k in range(20)]
    assert np.std(found[10:]) < 0.5 * 0.1
    assert np.mean(found[10:]) == pytest.approx(0.5, abs=0.02)


def test_a_code_that_leads_by_more_than_the_ratio_takes_over_at_once() -> None:
    window = TokenWindow()
    window.update(0.0, p(0.9, 0.1), RULE)
    np.testing.assert_allclose(window.update(0.03, p(0.2, 0.8), RULE), p(0.2, 0.8), rtol=1e-6)


def test_a_lead_is_measured_against_the_incumbent_not_the_last_leader() -> None:
    window = TokenWindow()
    window.update(0.00, p(0.50, 0.40, 0.10), RULE)
    window.update(0.03, p(0.40, 0.50, 0.10), RULE)  # not twice as likely: code 0 stays the incumbent
    found = window.update(0.06, p(0.20, 0.55, 0.25), RULE)  # more than twice as likely as code 0
    np.testing.assert_allclose(found, p(0.20, 0.55, 0.25), rtol=1e-6)


def test_tokens_do_not_influence_each_other() -> None:
    window = TokenWindow()
    window.update(0.0, np.array([[0.9, 0.1], [0.9, 0.1]], np.float32), RULE)
    found = window.update(0.03, np.array([[0.1, 0.9], [0.8, 0.2]], np.float32), RULE)
    np.testing.assert_allclose(found[0], [0.1, 0.9], rtol=1e-6)
    assert 0.8 < found[1, 0] < 0.9


def test_the_rule_does_not_depend_on_how_far_a_network_spreads_its_tokens() -> None:
    found = []
    for spread in (1.0, 0.01):
        window = TokenWindow()
        window.update(0.0, spread * p(0.6, 0.3), RULE)
        kept = window.update(0.03, spread * p(0.4, 0.5), RULE)
        taken = window.update(0.06, spread * p(0.2, 0.7), RULE)
        found.append(np.concatenate((kept, taken)) / spread)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_rows_keep_their_sum() -> None:
    rng = np.random.default_rng(0)
    window = TokenWindow()
    for k in range(10):
        frame = rng.dirichlet(np.full(16, 0.2), size=7).astype(np.float32)
        np.testing.assert_allclose(window.update(k / 30, frame, RULE).sum(-1), 1.0, rtol=1e-5)


def test_frames_given_out_are_not_changed_later() -> None:
    window = TokenWindow()
    window.update(0.0, p(0.9, 0.1), RULE)
    second = window.update(0.03, p(0.8, 0.2), RULE)
    copy = second.copy()
    window.update(0.06, p(0.7, 0.3), RULE)
    np.testing.assert_array_equal(second, copy)


@pytest.mark.parametrize("values", [(0.0, 2.0), (0.1, 0.9)])
def test_senseless_settings_are_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="token smoothing"):
        TokenSmoothing(*values)
