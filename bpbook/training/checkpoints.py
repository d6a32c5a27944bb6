"""Checkpoints: a net, its optimizer and the random state in one file, to go on from later."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from bpbook.nets.base import Net

from .optimizers.base import Optimizer

FORMAT = "bpbook checkpoint 1"
#: What reading a file with wrong bytes can raise; the runtime error is zipfile's, for an odd flag.
DAMAGE = (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile)


def save(
    path: str | os.PathLike,
    net,
    optimizer: Optimizer,
    rng: np.random.Generator | None = None,
) -> Path:
    """Write net, optimizer and random state to ``path``, and return it; .npz is added if missing.

    rng: the Generator that shuffles the batches; with it, training that is resumed from the file
    takes the very steps that it would have taken without a break. A schedule is not kept, for it is
    a function of the step: after t steps go on with ``lambda step: schedule(step + t)``; the t of
    all steps so far is ``optimizer.state["t"]``.

    The file is written aside and then put in place at once: whatever happens meanwhile, ``path``
    holds the old file or the new. A process that is killed may leave a hidden ``.part`` file beside
    it. Raises FileNotFoundError when there is no such folder.
    """
    path = _with_npz(path)
    _check_rng(rng)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}")
    saved = optimizer.state_dict()
    numbers, vectors = _parted(saved["state"])
    meta = {
        "format": FORMAT,
        "net": _layout(net),
        "rule": saved["rule"],
        "settings": saved["settings"],
        "optimizer_state": numbers,
        "rng": None if rng is None else rng.bit_generator.state,
    }
    arrays = {"theta": net.theta}
    arrays |= {f"optimizer/{name}": x for name, x in vectors.items()}
    arrays |= {f"net/{name}": x for name, x in getattr(net, "state", {}).items()}
    meta["arrays"] = _kinds(arrays)
    # Some generators keep an array in their state.
    text = json.dumps(meta, default=np.ndarray.tolist)
    _write(path, {"meta": np.array(text), **arrays})
    return path


def load(
    path: str | os.PathLike,
    net,
    optimizer: Optimizer,
    rng: np.random.Generator | None = None,
) -> None:
    """Put net, optimizer and rng into the state that :func:`save` wrote.

    They must be made as they were then: the same layers, ops and dtype (a BatchNorm's momentum and
    the numbers ε are not compared), the same rule, the same kind of random generator. Raises
    FileNotFoundError, or ValueError when the file is cut, is no checkpoint, or belongs to another
    net, optimizer or generator; then nothing is changed.
    """
    path = _with_npz(path)
    _check_rng(rng)
    meta, arrays = _read(path)
    if meta["net"] != _layout(net):
        raise ValueError(f"{path} is of the net {meta['net']}; this one is {_layout(net)}")
    if rng is not None and meta["rng"] is None:
        raise ValueError(f"{path} holds no random state; save it with rng=")
    if rng is not None and meta["rng"]["bit_generator"] != rng.bit_generator.state["bit_generator"]:
        raise ValueError(f"{path} holds the state of a {meta['rng']['bit_generator']} generator")
    saved = {"rule": meta["rule"], "settings": meta["settings"]}
    saved["state"] = meta["optimizer_state"] | _under("optimizer/", arrays)
    try:
        optimizer.load_state_dict(saved)
    except ValueError as error:
        raise ValueError(f"{path} does not fit this optimizer: {error}") from None
    net.theta[...] = arrays["theta"]
    if hasattr(net, "state"):
        net.state = _under("net/", arrays)
    if rng is not None:
        rng.bit_generator.state = meta["rng"]


def _with_npz(path: str | os.PathLike) -> Path:
    """``run_lr0.1`` as ``run_lr0.1.npz``: what comes after its last dot is no suffix."""
    path = Path(path)
    return path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")


def _check_rng(rng: object) -> None:
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng is {rng!r}; wanted a Generator, as np.random.default_rng(0) gives")


def _layout(net) -> dict:
    """What must be the same for theta to mean the same: a net's repr names its layers and ops."""
    shapes = {name: list(shape) for name, shape in net.shapes.items()}
    state = {name: list(np.shape(x)) for name, x in getattr(net, "state", {}).items()}
    kind = repr(net) if isinstance(net, Net) else type(net).__name__
    dtype = str(net.theta.dtype)
    return {"kind": kind, "dtype": dtype, "shapes": shapes, "state": state}


def _parted(state: dict) -> tuple[dict, dict]:
    """The plain values of a state, which JSON keeps, and its arrays."""
    arrays = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
    return {k: v for k, v in state.items() if k not in arrays}, arrays


def _kinds(arrays: dict[str, np.ndarray]) -> dict[str, list]:
    """The shape and dtype of each array. A file's checksums cover the numbers, not the names."""
    return {name: [list(np.shape(x)), np.asarray(x).dtype.str] for name, x in arrays.items()}


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k.removeprefix(prefix): x for k, x in arrays.items() if k.startswith(prefix)}


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The meta data and every array, all read and their checksums verified before any is used."""
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        if meta["format"] != FORMAT:
            raise ValueError(f"its format is {meta['format']!r}; wanted {FORMAT!r}")
        if _kinds(arrays) != meta["arrays"]:
            raise ValueError(f"it holds {_kinds(arrays)}; wanted {meta['arrays']}")
    except DAMAGE as error:
        raise ValueError(f"{path} is no whole checkpoint: {error}") from error
    return meta, arrays
