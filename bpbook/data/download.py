"""`mnist()`: the one data set that has to be downloaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from bpbook.ops import _check

from .dataset import Dataset, one_hot
from .idx import read_idx

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# In this order: training images, training labels, test images, test labels; with SHA-256.
FILES = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}


def mnist(
    cache: str | Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    timeout: float = 30.0,
    dtype: DTypeLike = np.float64,
    files: Mapping[str, str] = FILES,
) -> Dataset:
    """Load MNIST, 70,000 handwritten digits of 28x28 pixels; the first call downloads 11.6 MB.

    X: (60000, 784) and (10000, 784), pixels in [0, 1]; Y: one-hot, 10 columns. In float64 that
    takes 440 MB of memory, with `dtype=np.float32` half of it.

    The files stay in `cache` (by default the user's cache folder), and each is checked against its
    SHA-256 sum whenever it is read, so a damaged one is fetched anew. The `mirrors` are tried
    in order; a mirror that sent damaged data gets a second try after the others. `timeout` is the
    longest silence, in seconds, that we accept from a server. `files` maps the four names to
    their SHA-256 sums.

    Raises ConnectionError when no mirror delivers, ValueError when a file is not what MNIST
    consists of, OSError when `cache` cannot be written to.

    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998), Gradient-based learning applied
    to document recognition, Proceedings of the IEEE 86(11), doi:10.1109/5.726791.
    """
    dtype = _check.floating_dtype(dtype)
    _check.positive("timeout", timeout)
    if isinstance(mirrors, str) or not mirrors:
        raise ValueError(f"mirrors must be a sequence of one or more URLs, got {mirrors!r}")
    folder = _folder(cache)
    paths = [_fetch(name, sha256, folder, mirrors, timeout) for name, sha256 in files.items()]
    X_train, Y_train = _read_pair(paths[0], paths[1], dtype)
    X_test, Y_test = _read_pair(paths[2], paths[3], dtype)
    return Dataset(X_train, Y_train, X_test, Y_test)


def _folder(cache: str | Path | None) -> Path:
    import pooch

    folder = Path(pooch.os_cache("bpbook") if cache is None else cache).expanduser()
    return folder.resolve()


def _fetch(name: str, sha256: str, folder: Path, mirrors: Sequence[str], timeout: float) -> Path:
    """Return the path of the file `name`, from the folder or else from the first good mirror.

    pooch writes a download under a temporary name, and renames it only if its SHA-256 sum is right.
    """
    import pooch
    from requests.exceptions import ChunkedEncodingError, RequestException

    failures, silent = [], set()
    for mirror in 2 * tuple(mirrors):
        if mirror in silent:
            continue
        url = f"{mirror.rstrip('/')}/{name}"
        http = pooch.HTTPDownloader(timeout=timeout)
        try:
            return Path(pooch.retrieve(url, f"sha256:{sha256}", name, folder, downloader=http))
        except (ValueError, RequestException) as error:
            damaged = type(error) in (ValueError, ChunkedEncodingError)
            failures.append(f"  {url}\n    {error}")
            if not damaged:
                silent.add(mirror)
    raise ConnectionError(
        f"could not download {name}. Tried:\n"
        + "\n".join(failures)
        + f"\nThe files can also be placed by hand: copy {', '.join(FILES)} into\n  {folder}\n"
        "or into a folder of your choice, and call mnist(cache=folder)."
    )


def _read_pair(images: Path, labels: Path, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Read images (m, 28, 28) and labels (m,), and return X (m, 784) and Y (m, 10)."""
    pixels, digits = read_idx(images, ndim=3), read_idx(labels, ndim=1)
    if len(pixels) != len(digits):
        raise ValueError(f"{images.name} has {len(pixels)} images for {len(digits)} labels")
    X = np.divide(pixels.reshape(len(pixels), -1), 255, dtype=dtype)
    return X, one_hot(digits, 10, dtype)
