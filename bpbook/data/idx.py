"""The IDX file format of the MNIST database, read with NumPy alone.

A header of big-endian bytes: two zeros, the type of an entry (8: unsigned byte), the number of
dimensions d, then d sizes of four bytes each; the entries follow in C order.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

UNSIGNED_BYTE = 8


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes with `ndim` dimensions; ValueError otherwise."""
    try:
        data = gzip.decompress(Path(path).read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error
    return parse_idx(data, ndim, str(path))


def parse_idx(data: bytes, ndim: int, name: str = "data") -> np.ndarray:
    """Return the array (uint8, read-only) that the bytes of an IDX file describe."""
    header = 4 + 4 * ndim
    magic = bytes([0, 0, UNSIGNED_BYTE, ndim])
    if data[:4] != magic:
        raise ValueError(
            f"{name} must start with the bytes {magic.hex(' ')} (unsigned bytes, "
            f"{ndim} dimensions), got {data[:4].hex(' ') or 'nothing'}"
        )
    if len(data) < header:
        raise ValueError(f"{name} must have a header of {header} bytes, got {len(data)} bytes")
    shape = tuple(np.frombuffer(data, ">u4", count=ndim, offset=4).tolist())
    if len(data) - header != math.prod(shape):
        raise ValueError(
            f"{name} must hold {math.prod(shape)} entries for shape {shape}, "
            f"got {len(data) - header}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
