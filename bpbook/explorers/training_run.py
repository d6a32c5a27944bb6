"""A small network in training, step by step: the simulation behind :class:`Playground`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.data import Dataset
from bpbook.explorers.records import Record
from bpbook.nets import MLP
from bpbook.training import accuracy
from bpbook.training.loop import shuffled_batches, train_step
from bpbook.training.optimizers import Optimizer

TRAIN_LOSS, TEST_LOSS, GRADIENTS = 0, 1, 2  # columns of the record; from GRADIENTS, one a layer


class TrainingRun:
    """``fit``, one step at a time: the same batches, the same steps, the same stop.

    record: for each step kept, the loss on the training set, that on the test set (NaN without
    one), and ‖∂L/∂(W, b)‖ of each layer on the training set. exploded: None, or where the first
    number that is not finite appeared; the net is then as it was before that step. l1: adds
    l1 Σ|θ| to the loss; l2 is the optimizer's ``weight_decay``. Without training samples no step
    is taken, until :meth:`retune` brings some.
    """

    def __init__(
        self,
        net: MLP,
        dataset: Dataset,
        optimizer: Optimizer,
        batch_size: int,
        *,
        l1: float = 0.0,
        rng: int | np.random.Generator = 0,
    ) -> None:
        self.net, self.dataset, self.optimizer = net, dataset, optimizer
        self.batch_size, self.l1 = batch_size, l1
        self.steps = self.epoch = 0
        self.exploded: str | None = None
        self.record = Record(GRADIENTS + net.depth)
        self._rng = np.random.default_rng(rng)
        self._queue: list[np.ndarray] = []  # the rest of this epoch's batches
        self._keep()

    @property
    def finished(self) -> bool:
        return self.exploded is not None

    @property
    def waiting(self) -> bool:
        """Whether there is nothing to learn from yet."""
        return not len(self.dataset.X_train)

    @property
    def accuracy(self) -> float:
        """The share of test samples that the net gets right; NaN without one."""
        X, Y = self.dataset.X_test, self.dataset.Y_test
        return accuracy(self.net, X, Y) if len(X) else np.nan

    def step(self) -> None:
        if self.finished or self.waiting:
            return
        rows, data = self._next_batch(), self.dataset
        batch = data.X_train[rows], data.Y_train[rows]
        _, _, problem = train_step(self.net, *batch, self.optimizer, self._penalty())
        self.steps += 1
        if problem:
            self.exploded = problem
        else:
            self._keep()

    def retune(
        self,
        *,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        l1: float | None = None,
        l2: float | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        """Go on with other settings; new batches are cut where they need to be."""
        if learning_rate is not None:
            self.optimizer.learning_rate = learning_rate
        if l2 is not None:
            self.optimizer.weight_decay = l2
        self.l1 = self.l1 if l1 is None else l1
        if batch_size is not None or dataset is not None:
            self.batch_size = batch_size or self.batch_size
            self.dataset = dataset or self.dataset
            self._queue = []

    def _next_batch(self) -> np.ndarray:
        if not self._queue:
            self._queue = shuffled_batches(len(self.dataset.X_train), self.batch_size, self._rng)
            self.epoch += 1
        return self._queue.pop(0)

    def _penalty(self) -> Callable[[np.ndarray], object] | None:
        """What adds the gradient of l1 Σ|θ|, before the optimizer sees the gradient."""
        if not self.l1:
            return None
        return lambda grad: np.add(grad, self.l1 * np.sign(self.net.theta), out=grad)

    def measured(self) -> np.ndarray:
        """The row of the record for the net as it is now."""
        data, row = self.dataset, np.full(GRADIENTS + self.net.depth, np.nan)
        with np.errstate(all="ignore"):
            if len(data.X_train):
                row[TRAIN_LOSS], grad = self.net.loss_and_grad(data.X_train, data.Y_train)
                layers = zip(*self.net.views(grad), strict=True)
                row[GRADIENTS:] = [np.hypot(*map(np.linalg.norm, layer)) for layer in layers]
            if len(data.X_test):
                row[TEST_LOSS] = self.net.loss(data.X_test, data.Y_test)
        return row

    def _keep(self) -> None:
        if self.record.wants(self.steps):
            self.record.add(self.measured())
