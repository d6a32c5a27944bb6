"""The data sets that need no download."""

import hashlib
from importlib import resources

import numpy as np
import pytest

from bpbook import data

TOYS = [data.moons, data.spirals, data.blobs, data.circles, data.xor]


def rows(X):
    return {row.tobytes() for row in X}


def test_digits_are_the_1797_of_the_uci_test_part():
    """The sum is of the arrays as scikit-learn ships them, compared entry by entry once."""
    path = resources.files("bpbook.data").joinpath("optdigits.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        stored = arrays["images"].tobytes() + arrays["labels"].tobytes()
    assert hashlib.sha256(stored).hexdigest() == (
        "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    )


def test_digits_shapes_and_class_counts():
    d = data.digits()
    assert d.X_train.shape == (1442, 64)
    assert d.X_test.shape == (355, 64)
    counts = np.bincount(np.concatenate([d.labels_train, d.labels_test]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(d.labels_test).tolist() == [n // 5 for n in counts]


def test_digits_pixels_are_sixteenths_between_0_and_1():
    d = data.digits()
    X = np.concatenate([d.X_train, d.X_test])
    assert X.min() == 0
    assert X.max() == 1
    assert (X * 16 % 1 == 0).all()
    assert (X * 16).sum() == 561_718
    assert (d.X_train[:3] * 16).sum(axis=1).tolist() == [294, 313, 344]
    assert d.labels_train[:3].tolist() == [0, 1, 2]


def test_digits_split_is_fixed_and_disjoint():
    d, again = data.digits(), data.digits()
    assert (d.X_test == again.X_test).all()
    assert not rows(d.X_train) & rows(d.X_test)
    assert len(rows(d.X_train) | rows(d.X_test)) == 1797


def test_the_test_set_is_every_fifth_sample_of_a_class():
    path = resources.files("bpbook.data").joinpath("optdigits.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        sevens = arrays["images"][arrays["labels"] == 7]
    d = data.digits()
    assert (d.X_test[d.labels_test == 7] * 16 == sevens[4::5]).all()


def test_each_call_returns_arrays_of_its_own():
    data.digits().X_train[:] = 7
    assert data.digits().X_train.max() == 1


class Evil:
    """Unpickling one creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return self.path.touch, ()


def test_a_pickle_in_place_of_the_digits_is_not_loaded(tmp_path, monkeypatch):
    evil = np.array([Evil(tmp_path / "ran")], dtype=object)
    np.savez(tmp_path / "optdigits.npz", images=evil, labels=evil)
    monkeypatch.setattr("bpbook.data.optdigits.resources.files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        data.digits()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("dtype", [np.float32, "float64"])
def test_digits_dtype(dtype):
    d = data.digits(dtype)
    assert {x.dtype for x in (d.X_train, d.Y_train, d.X_test, d.Y_test)} == {np.dtype(dtype)}
    assert (d.X_train == data.digits().X_train).all()  # sixteenths are exact in both


def test_digits_refuse_an_integer_dtype():
    with pytest.raises(ValueError, match=r"dtype is int64; wanted a floating dtype"):
        data.digits(np.int64)


@pytest.mark.parametrize("load", [data.digits, *TOYS])
def test_targets_are_one_hot(load):
    d = load()
    for Y in (d.Y_train, d.Y_test):
        assert set(np.unique(Y)) == {0.0, 1.0}
        assert (Y.sum(axis=1) == 1).all()
        assert Y.dtype == np.float64


def test_dataset_repr_is_one_line():
    assert repr(data.digits()) == (
        "Dataset(1442 training and 355 test samples, 64 features, 10 classes, float64)"
    )


def test_one_hot_by_hand():
    assert data.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "0..2, got 3"),
        ([-1, 0], "0..2, got -1"),
        ([0.0, 1.0], "dtype float64"),
        ([[0, 1]], r"shape \(1, 2\)"),
    ],
)
def test_one_hot_refuses(labels, message):
    with pytest.raises(ValueError, match=message):
        data.one_hot(labels, 3)


@pytest.mark.parametrize("classes", [0, 2.0, "3", True])
def test_the_number_of_classes_is_whole(classes):
    with pytest.raises(ValueError, match=f"classes is {classes!r}; wanted a whole number"):
        data.one_hot([0], classes)


@pytest.mark.parametrize("toy", TOYS)
def test_toys_repeat_for_a_seed_and_differ_between_seeds(toy):
    assert (toy(rng=3).X_train == toy(rng=3).X_train).all()
    assert (toy().X_train == toy(rng=0).X_train).all()
    assert (toy(rng=np.random.default_rng(0)).X_train == toy().X_train).all()
    assert not (toy(rng=4).X_train == toy(rng=3).X_train).any()


@pytest.mark.parametrize("toy", TOYS)
def test_toys_count_and_balance(toy):
    d = toy(n=303)
    assert len(d.X_train) + len(d.X_test) == 303
    counts = d.Y_train.sum(axis=0) + d.Y_test.sum(axis=0)
    assert counts.max() - counts.min() <= 1
    assert d.Y_test.sum(axis=0).tolist() == (counts // 5).tolist()


def test_moons_without_noise_lie_on_the_two_half_circles():
    d = data.moons(n=200, noise=0)
    upper, lower = d.X_train[d.labels_train == 0], d.X_train[d.labels_train == 1]
    assert np.allclose(np.hypot(*upper.T), 1)
    assert upper[:, 1].min() >= 0
    assert np.allclose(np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1)
    assert lower[:, 1].max() <= 0.5


def test_spirals_without_noise_turn_with_their_radius():
    d = data.spirals(n=300, classes=3, turns=1.5, noise=0)
    radius = np.hypot(*d.X_train.T)
    angle = 2 * np.pi * (1.5 * radius + d.labels_train / 3)
    assert radius.max() <= 1
    assert np.allclose(np.exp(1j * angle) * radius, d.X_train @ [1, 1j])


def test_blobs_have_their_centres_and_spread():
    d = data.blobs(n=4000, classes=4, noise=0.2)
    cloud = d.X_train[d.labels_train == 1]
    assert np.allclose(cloud.mean(axis=0), [0, 1], atol=0.03)  # 4 standard errors
    assert np.allclose(cloud.std(axis=0), 0.2, atol=0.02)


def test_circles_without_noise_have_radius_one_half_and_one():
    d = data.circles(n=300, noise=0)
    assert np.allclose(np.hypot(*d.X_train.T), np.where(d.labels_train == 0, 0.5, 1))


def test_xor_without_noise_is_the_sign_of_the_product():
    d = data.xor(n=300, noise=0)
    x, y = d.X_train.T
    assert ((x * y < 0) == (d.labels_train == 1)).all()
    assert np.abs(d.X_train).min() >= 0.1
    assert np.abs(d.X_train).max() <= 1
    quadrants = {tuple(signs) for signs in np.sign(d.X_train).tolist()}
    assert len(quadrants) == 4


@pytest.mark.parametrize("toy", TOYS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n": 9}, "n is 9; wanted a whole number, at least 1[05]"),
        ({"n": 100.0}, "n is 100.0; wanted a whole number"),
        ({"n": True}, "n is True; wanted a whole number"),
        ({"noise": -0.1}, "noise is -0.1; wanted a finite number, 0 or more"),
        ({"noise": float("nan")}, "noise is nan; wanted"),
        ({"noise": "loud"}, "noise is 'loud'; wanted"),
    ],
)
def test_toys_refuse(toy, bad, message):
    with pytest.raises(ValueError, match=message):
        toy(**bad)


@pytest.mark.parametrize("bad", [{"classes": 1}, {"classes": 2.5}])
@pytest.mark.parametrize("toy", [data.spirals, data.blobs])
def test_toys_refuse_fewer_than_two_classes(toy, bad):
    with pytest.raises(ValueError, match="classes is .*; wanted a whole number, at least 2"):
        toy(**bad)


@pytest.mark.parametrize("turns", [0, -1, float("inf")])
def test_spirals_refuse_turns(turns):
    with pytest.raises(ValueError, match="turns is .*; wanted a positive finite number"):
        data.spirals(turns=turns)
