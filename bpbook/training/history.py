"""`History`, what `fit` records."""

from dataclasses import dataclass, field


@dataclass(repr=False)
class History:
    """The course of a training run.

    loss: one number per step, the mini-batch's loss before its step.
    learning_rate: per step, the rate that the schedule set; empty without one.
    train_loss: per epoch, the mean of the loss over the samples, each as its mini-batch saw it.
    train_accuracy, validation_accuracy: per epoch, measured after its last step.
    stopped: None, or why training ended early, and where.
    """

    loss: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    stopped: str | None = None

    @property
    def steps(self) -> int:
        """The number of updates of theta."""
        return len(self.loss)

    @property
    def epochs(self) -> int:
        """The number of whole epochs."""
        return len(self.train_loss)

    def __repr__(self) -> str:
        parts = [f"epochs={self.epochs}", f"steps={self.steps}"]
        for name in ("train_loss", "train_accuracy", "validation_accuracy"):
            if values := getattr(self, name):
                parts.append(f"{name}={values[-1]:.4g}")
        if self.stopped:
            parts.append(f"stopped={self.stopped!r}")
        return f"History({', '.join(parts)})"
