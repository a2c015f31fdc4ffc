"""The log of a training run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard.writer import SummaryWriter

from mksgn.files import replacing
from mksgn.training.stage import Stage

METRICS = "metrics.jsonl"
"""The file of a run's log: a line of JSON for each epoch, and one of the final results."""


class RunLog:
    """metrics.jsonl and TensorBoard events; on resume, lines after the checkpoint are dropped first.

    Parameters
    ----------
    folder : Path
        Exists where ``enabled``.
    enabled : bool
        Write at all: one process of several does.
    keep : mapping, optional
        :meth:`~mksgn.training.stage.Stage.entry` of the last epoch to keep; None starts anew.
    """

    def __init__(self, folder: Path, enabled: bool, keep: Mapping[str, Any] | None) -> None:
        self.path, self.enabled = folder / METRICS, enabled
        if not enabled:
            return
        lines = self.path.read_text().splitlines() if keep and self.path.exists() else []
        kept = []
        for line in lines:
            row = json.loads(line)
            if "epoch" not in row:
                continue
            kept.append(line)
            if {name: row.get(name) for name in keep or ()} == keep:
                break  # the next may be half a line, of a run that found the disk full
        with replacing(self.path) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept))
        self.events = SummaryWriter(str(folder / "events"))

    def write(self, stage: Stage, epoch: int, row: Mapping[str, float]) -> None:
        """One finished epoch."""
        if not self.enabled:
            return
        self._append({**stage.entry(epoch), **{k: None if math.isnan(v) else v for k, v in row.items()}})
        for name, value in row.items():
            if not math.isnan(value):
                self.events.add_scalar(f"{stage.name}/{name}".lstrip("/"), value, epoch)
        self.events.flush()

    def finish(self, results: Mapping[str, Any], **measured: Any) -> None:
        """The final results, and what else was measured with them; nothing is written after this."""
        if self.enabled:
            self._append({"final": dict(results), **measured})
            self.events.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
