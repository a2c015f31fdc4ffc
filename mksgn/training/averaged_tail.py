"""What the recipes of spiking networks and of teachers share: epochs at whose end weights are averaged."""

from __future__ import annotations


class AveragedTail:
    """Properties of a recipe whose last epochs have a constant learning rate and average the weights (SWA).

    A recipe that inherits from this has the fields ``epochs``, ``average_part`` (the part of the epochs, 0 to 1) and
    ``average_lr`` (the rate, reached within one epoch; averaging begins after that one).
    """

    epochs: int
    average_part: float
    average_lr: float

    @property
    def cycle_epochs(self) -> int:
        """Epochs before those at the constant rate."""
        return self.epochs - round(self.average_part * self.epochs)

    @property
    def averaged_from(self) -> int:
        """Epoch from which on weights are averaged; ``epochs`` or more where they are not."""
        return self.cycle_epochs + 1

    @property
    def averages(self) -> bool:
        """Whether any step is averaged."""
        return self.averaged_from < self.epochs

    def tail_rate(self, epoch: float) -> float | None:
        """The learning rate after ``epoch`` epochs, or None before the tail and without one."""
        into = epoch - self.cycle_epochs
        return self.average_lr * min(1.0, into) if self.averages and into >= 0 else None
