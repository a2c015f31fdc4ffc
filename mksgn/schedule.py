"""What the recipes of spiking networks and of teachers share: epochs at whose end weights are averaged."""

from __future__ import annotations

from mksgn.errors import ConfigError


class AveragedTail:
    """Properties of a recipe whose last epochs have a constant learning rate and average the weights (SWA).

    A recipe that inherits from this has the fields ``epochs``, ``average_part`` (the part of the epochs, 0 to 1) and
    ``average_lr`` (the rate, reached within one epoch; averaging begins after that one).
    """

    epochs: int
    average_part: float
    average_lr: float

    def check_average(self) -> None:
        """Raises
        ------
        ConfigError
            When the part is none, or the rate no rate.
        """
        if not 0 <= self.average_part <= 1:
            raise ConfigError("weights are averaged over a part of the epochs", where="average_part",
                              got=str(self.average_part), allowed="0 (not at all) to 1")
        if not 0 < self.average_lr < float("inf"):
            raise ConfigError("weights are averaged at a positive learning rate", where="average_lr",
                              got=str(self.average_lr), allowed="above 0, finite")

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
