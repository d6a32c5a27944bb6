"""`digits()`: 1,797 real handwritten digits, shipped with the package."""

from importlib import resources

import numpy as np
from numpy.typing import DTypeLike

from bpbook.ops import _check

from .dataset import Dataset, split

FULL = 16  # a pixel counts the inked dots in a 4x4 block of the scan: 0 to 16


def digits(dtype: DTypeLike = np.float64) -> Dataset:
    """Load the 1,797 handwritten digits of the UCI Optical Recognition set, 8x8 pixels each.

    X: (m, 64), pixels in [0, 1], row by row (`X[i].reshape(8, 8)` is the picture).
    Y: (m, 10), one-hot. Both have the given floating dtype.

    The split is fixed: of each digit, every fifth sample in the original order is a test sample;
    1,442 train and 355 test. The same 13 people wrote both parts, so test accuracy measures
    how well a network reads new digits of known writers.

    Source: E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI
    Machine Learning Repository, doi:10.24432/C50P49, CC BY 4.0. `OPTDIGITS.md`, beside this
    file, has the details.
    """
    dtype = _check.floating_dtype(dtype)
    path = resources.files(__package__).joinpath("optdigits.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    return split(np.divide(images, FULL, dtype=dtype), labels, classes=10)
