"""`Dataset`, the four arrays that every data set of the book consists of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bpbook.ops import _check

TEST_EVERY = 5


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A training set and a test set; one row per sample.

    X_train: (m, n), Y_train: (m, K), X_test: (m', n), Y_test: (m', K). Each row of a Y is one-hot.
    """

    X_train: np.ndarray
    Y_train: np.ndarray
    X_test: np.ndarray
    Y_test: np.ndarray

    @property
    def labels_train(self) -> np.ndarray:
        """The class of each training sample, an integer: (m,)."""
        return self.Y_train.argmax(axis=1)

    @property
    def labels_test(self) -> np.ndarray:
        """The class of each test sample, an integer: (m',)."""
        return self.Y_test.argmax(axis=1)

    def __repr__(self) -> str:
        features, classes = self.X_train.shape[1], self.Y_train.shape[1]
        return (
            f"Dataset({len(self.X_train)} training and {len(self.X_test)} test samples, "
            f"{features} features, {classes} classes, {self.X_train.dtype})"
        )


def one_hot(labels: ArrayLike, classes: int, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Turn integer labels (m,) into rows with a single 1: (m, classes)."""
    _check.whole("classes", classes)
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be a vector of integers, got shape {labels.shape}, dtype {labels.dtype}"
        )
    outside = labels[(labels < 0) | (labels >= classes)]
    if outside.size:
        raise ValueError(f"labels must lie in 0..{classes - 1}, got {outside[0]}")
    return (labels[:, None] == np.arange(classes)).astype(_check.floating_dtype(dtype))


def split(X: np.ndarray, labels: np.ndarray, classes: int) -> Dataset:
    """Make every fifth sample of each class a test sample; both parts keep their order.

    The rule draws no random numbers, so the split is the same on every machine, and each class
    gives the test set the same share.
    """
    test = np.zeros(len(labels), dtype=bool)
    for k in range(classes):
        test[np.flatnonzero(labels == k)[TEST_EVERY - 1 :: TEST_EVERY]] = True
    Y = one_hot(labels, classes, X.dtype)
    return Dataset(X[~test], Y[~test], X[test], Y[test])
