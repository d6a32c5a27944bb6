"""Fewer and cheaper large arrays: on images, new memory costs more than the arithmetic."""

from __future__ import annotations

import numpy as np


def reuse(fresh: np.ndarray, *operands: np.ndarray) -> np.ndarray | None:
    """The place for a result of ``fresh`` and ``operands``, as ``out=``: ``fresh`` itself, or None.

    fresh: an array of the op's own that nothing else refers to. None when the result may have
    another dtype, or is of symbols, dual numbers or tensors, whose entries may be shared.
    """
    arrays = (fresh, *operands)
    plain = all(type(x) is np.ndarray and x.dtype == fresh.dtype for x in arrays)
    return fresh if plain else None


def keep_freed_memory() -> None:
    """Let the C library keep the memory that one training step frees, for the next.

    glibc gives freed arrays of over 128 kB back to the system at first, and every step then fetches
    them anew, page by page. Once an array of nearly 32 MB was freed it keeps up to 64 MB
    (mallopt(3), on the dynamic M_MMAP_THRESHOLD). The array is never touched, so this takes
    microseconds; with another C library it does nothing.
    """
    np.empty(2**25 - 2**16, np.uint8)
