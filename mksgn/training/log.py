"""The log of a training run."""

from __future__ import annotations

import json
import math
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from mksgn.files import replacing


class RunLog:
    """metrics.jsonl and TensorBoard events; on resume, lines after the checkpoint are dropped first.

    Parameters
    ----------
    folder : Path
        Exists where ``enabled``.
    enabled : bool
        Write at all: one process of several does.
    keep : (stage, epoch), optional
        The last line to keep; None starts anew.
    """

    def __init__(self, folder: Path, enabled: bool, keep: tuple[str, int] | None) -> None:
        self.path, self.enabled = folder / "metrics.jsonl", enabled
        if not enabled:
            return
        lines = self.path.read_text().splitlines() if keep and self.path.exists() else []
        kept = []
        for line in lines:
            row = json.loads(line)
            if "stage" not in row:
                continue
            kept.append(line)
            if (row["stage"], row["epoch"]) == keep:
                break  # the next may be half a line, of a run that found the disk full
        with replacing(self.path) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept))
        self.events = SummaryWriter(str(folder / "events"))

    def write(self, stage: str, epoch: int, row: dict[str, float]) -> None:
        """One finished epoch."""
        if not self.enabled:
            return
        clean = {k: None if math.isnan(v) else v for k, v in row.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"stage": stage, "epoch": epoch, **clean}) + "\n")
        for name, value in row.items():
            if not math.isnan(value):
                self.events.add_scalar(f"{stage}/{name}", value, epoch)
        self.events.flush()
