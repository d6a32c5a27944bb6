"""The record of a run keeps the whole run in bounded room, whatever its length."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bpbook.explorers.records import CAPACITY, Record, StepAxis


def recorded(steps: int) -> Record:
    record = Record(2)
    for step in range(steps + 1):
        if record.wants(step):
            record.add(np.array([step, step**2]))
    return record


@pytest.mark.parametrize("steps", [0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 3000, 10_000])
def test_rows_stand_at_even_steps_from_0_to_the_present(steps):
    record = recorded(steps)
    assert np.array_equal(record.rows[:, 0], record.steps)
    assert np.array_equal(record.rows[:, 1], record.steps**2)
    assert record.steps[0] == 0
    assert 0 <= steps - record.steps[-1] < record.stride
    assert record.count <= CAPACITY
    assert steps < record.span


def test_it_is_never_less_than_half_full_once_it_was_full():
    assert all(recorded(n).count > CAPACITY // 2 for n in range(CAPACITY, 4 * CAPACITY, 97))


def test_the_axis_of_steps_says_where_it_ends():
    axis = StepAxis(Figure().subplots())
    axis.fit(2000)
    assert [label.get_text() for label in axis._labels] == ["0", "1,000", "step 2,000"]
    assert axis.place(np.array([0, 500, 2000])).tolist() == [0, 0.25, 1]
