"""The calls take turns, and the shortest time counts."""

import pytest

from bpbook import timing


def test_the_fastest_round_counts(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    order = []

    def lasting(name, seconds):
        def call():
            order.append(name)
            now[0] += seconds.pop(0)

        return call

    calls = [lasting("a", [5, 1, 9]), lasting("b", [2, 8, 4])]
    assert timing.fastest(calls, rounds=3).tolist() == [1, 2]
    assert order == ["a", "b"] * 3


def test_at_least_one_round():
    with pytest.raises(ValueError, match="rounds is 0"):
        timing.fastest([], rounds=0)
