"""`fit`, the training loop, the step and the batches it is made of, and `accuracy`."""

import math
import warnings
from collections.abc import Callable
from typing import Protocol

import numpy as np

from bpbook.ops import _check

from .history import History
from .monitors import all_finite, first_non_finite
from .schedules import Schedule

ROWS = 4096  # how many samples `accuracy` predicts at a time, to bound its memory


class Net(Protocol):
    """What `fit` needs of a network; `bpbook.nets.MLP` has it."""

    theta: np.ndarray

    def loss_and_grad(self, X: np.ndarray, Y: np.ndarray) -> tuple[float, np.ndarray]: ...
    def predict(self, X: np.ndarray) -> np.ndarray: ...
    def loss(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray: ...  # for ReduceOnPlateau


class Optimizer(Protocol):
    learning_rate: float

    def step(self, theta: np.ndarray, grad: np.ndarray) -> np.ndarray: ...


def fit(
    net: Net,
    X: np.ndarray,
    Y: np.ndarray,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    *,
    rng: int | np.random.Generator = 0,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    progress: bool | None = None,
    clip: Callable[[np.ndarray], object] | None = None,
    schedule: Schedule | None = None,
    on_step: Callable[[int, float, np.ndarray], object] | None = None,
) -> History:
    """Train `net` in place on X (m, n) and Y (m, K), and return the history of the run.

    Each epoch shuffles the samples with `rng` (a seed or a Generator) and cuts them into batches
    of `batch_size`; the last one keeps what is left over, so its samples weigh more in their step.
    A run with the same seed, data and network repeats itself exactly.

    validation: (X, Y), measured after each epoch.
    progress: show a progress bar; None shows one on a terminal only, so notebooks stay clean.
    clip: shortens the gradient in place before each step, `lambda grad: clip_by_norm(grad, 1.0)`.
    schedule: gives the learning rate of each *step*, `schedule(0)` for the first of this call, from
        `bpbook.training.schedules`; without one the optimizer keeps its own. One that has an
        `update`, as `ReduceOnPlateau`, is fed once an epoch: the loss on `validation`, or without
        it the training loss.
    on_step: called as `on_step(step, loss, grad)` after each step, the first being 1; `loss` and
        `grad` are those that the step used.

    When a loss, a gradient or the new theta is not finite, training stops: theta is left as it
    was before that step, which the history does not count; `History.stopped` and a RuntimeWarning
    say at which step and layer the first NaN or infinity appeared. An optimizer that made such a
    theta remembers that step all the same: `reset` it before you go on.

    Raises ValueError for data that are not finite or have different numbers of rows, and for a
    `validation` with other numbers of columns.
    """
    _check.whole("epochs", epochs)
    _check.whole("batch_size", batch_size)
    _check_callables(optimizer, clip, schedule, on_step)
    X, Y = _training_data(net, X, Y)
    if validation is not None:
        validation = _validation_data(validation, X, Y)
    history, rng = History(), np.random.default_rng(rng)
    with _bar(epochs * math.ceil(len(X) / batch_size), progress) as bar:
        for epoch in range(1, epochs + 1):
            batches = shuffled_batches(len(X), batch_size, rng)
            for rows in batches:
                if schedule is not None:
                    optimizer.learning_rate = schedule(history.steps)
                loss, grad, problem = train_step(net, X[rows], Y[rows], optimizer, clip)
                if problem:
                    return _stop(history, epoch, problem)
                history.loss.append(loss)
                if schedule is not None:
                    history.learning_rate.append(optimizer.learning_rate)
                bar.update()
                if on_step is not None:
                    on_step(history.steps, loss, grad)
            losses, sizes = history.loss[-len(batches) :], [len(rows) for rows in batches]
            history.train_loss.append(float(np.average(losses, weights=sizes)))
            history.train_accuracy.append(accuracy(net, X, Y))
            if validation is not None:
                history.validation_accuracy.append(accuracy(net, *validation))
            if hasattr(schedule, "update"):
                watched = history.train_loss[-1] if validation is None else net.loss(*validation)
                schedule.update(float(watched))
            bar.set_postfix(loss=history.train_loss[-1], refresh=False)
    return history


def accuracy(net: Net, X: np.ndarray, Y: np.ndarray) -> float:
    """Return the share of samples that `net.predict` gets right, 0 to 1.

    The prediction is the largest entry of a row; with a single output, whether it exceeds 1/2. A
    row with a NaN is wrong. Raises ValueError unless X, Y and the predictions fit.
    """
    _check_batch(X, Y)
    X, Y, right = np.asarray(X), np.asarray(Y), 0
    for i in range(0, len(X), ROWS):
        with np.errstate(over="ignore", invalid="ignore"):
            P, targets = net.predict(X[i : i + ROWS]), Y[i : i + ROWS]
        if P.shape != targets.shape:
            raise ValueError(f"Y has shape {Y.shape}; the net predicts {P.shape[1]} columns")
        hit = _decide(P) == _decide(targets)
        right += int((hit & ~np.isnan(P).any(axis=1)).sum())
    return right / len(X)


def _decide(P: np.ndarray) -> np.ndarray:
    return P[:, 0] > 0.5 if P.shape[1] == 1 else P.argmax(axis=1)


def shuffled_batches(m: int, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut the row numbers 0..m-1, in random order, into batches; the last may be smaller."""
    return np.split(rng.permutation(m), range(batch_size, m, batch_size))


def train_step(
    net: Net, X: np.ndarray, Y: np.ndarray, optimizer: Optimizer, clip: Callable | None
) -> tuple[float, np.ndarray | None, str | None]:
    """Take one step of `fit` on a batch, or none and say why not: (loss, grad, problem).

    With a problem theta is as it was, the loss and the gradient may be anything, or None.
    """
    # NumPy's own warnings would come before ours, and say neither the step nor the layer.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            loss, grad = net.loss_and_grad(X, Y)
        except ValueError:  # a loss may refuse the NaN that a layer made
            if problem := first_non_finite(net, X):
                return math.nan, None, problem
            raise
        loss = float(loss)
        if not (math.isfinite(loss) and all_finite(grad)):
            return loss, grad, first_non_finite(net, X, Y)
        if clip is not None:
            clip(grad)
        before = net.theta.copy()
        optimizer.step(net.theta, grad)
        if all_finite(net.theta):
            return loss, grad, None
        problem = first_non_finite(net, X) or "theta is not finite"
        net.theta[...] = before
    return loss, grad, f"{problem} after the update"


def _stop(history: History, epoch: int, problem: str) -> History:
    history.stopped = f"step {history.steps + 1} (epoch {epoch}), {problem}"
    warnings.warn(
        f"training stopped at {history.stopped}; theta is as it was before this step. "
        "A new optimizer with a smaller learning rate often helps.",
        RuntimeWarning,
        stacklevel=3,
    )
    return history


def _bar(total: int, progress: bool | None):
    from tqdm import tqdm

    # tqdm reads None as: only on a terminal.
    return tqdm(total=total, unit="step", disable=None if progress is None else not progress)


def _check_callables(optimizer: object, clip: object, schedule: object, on_step: object) -> None:
    """Refuse a class in an optimizer's place, and a number in a function's."""
    if isinstance(optimizer, type) or not hasattr(optimizer, "step"):
        raise ValueError(f"optimizer is {optimizer!r}; wanted one such as SGD(0.1)")
    for name, value, example in (
        ("clip", clip, f"lambda g: clip_by_norm(g, {clip!r})"),
        ("schedule", schedule, f"constant({schedule!r})"),
        ("on_step", on_step, "print"),
    ):
        if value is not None:
            _check.function(name, value, example)


def _training_data(net: Net, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check the data, and convert them to the net's dtype: once, not once per batch."""
    _check_batch(X, Y)
    X, Y = np.asarray(X, net.theta.dtype), np.asarray(Y, net.theta.dtype)
    for name, values in (("X", X), ("Y", Y)):
        if not np.isfinite(values).all():
            row = np.flatnonzero(~np.isfinite(values).all(axis=1))[0]
            raise ValueError(f"{name} must be finite in {values.dtype}, row {row} is not")
    return X, Y


def _check_batch(X: np.ndarray, Y: np.ndarray, which: str = "") -> None:
    """X (m, n) and Y (m, K) with the same m >= 1."""
    shapes = np.shape(X), np.shape(Y)
    if not all(len(shape) == 2 and shape[0] == len(X) > 0 for shape in shapes):
        raise ValueError(
            f"{which}X and Y must be (m, n) and (m, K), one row per sample and at least one, "
            f"got shapes {shapes[0]} and {shapes[1]}"
        )


def _validation_data(validation: object, X: np.ndarray, Y: np.ndarray) -> list[np.ndarray]:
    """Check that it is a pair (X, Y) with the columns of the training data, before they train."""
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise ValueError(f"validation is a {type(validation).__name__}; wanted a pair (X, Y)")
    _check_batch(*validation, "validation ")
    for name, got, ours in (("X", validation[0], X), ("Y", validation[1], Y)):
        if np.shape(got)[1] != ours.shape[1]:
            raise ValueError(
                f"validation {name} has shape {np.shape(got)}; {name} has {ours.shape[1]} columns"
            )
    return [np.asarray(values) for values in validation]
