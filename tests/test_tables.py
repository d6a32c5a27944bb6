"""Tables print the same on every machine."""

import numpy as np
import pytest

from bpbook.tables import table


def test_rows_are_aligned_and_rounded(capsys):
    table(score=np.array([[2.0, 1.0, 0.1]]), probability=[0.659, 0.2424, 0.0986], n=[1, 2, 3])
    assert capsys.readouterr().out.splitlines() == [
        "score        2.000  1.000  0.100",
        "probability  0.659  0.242  0.099",
        "n                1      2      3",
    ]


def test_no_negative_zero(capsys):
    table(x=[-1e-9, 0.0])
    assert "-" not in capsys.readouterr().out


def test_names_and_digits(capsys):
    table(digits=1, entry_by_entry=0.25, word="yes")
    assert capsys.readouterr().out == "entry by entry  0.2\nword            yes\n"


def test_nothing_to_print():
    with pytest.raises(ValueError, match="no rows"):
        table()
