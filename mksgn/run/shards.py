"""One run over several processes: each takes a part of the samples, and all get the whole result."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mksgn.counts import TABLES, Counts
from mksgn.extras import require
from mksgn.run.execution import Execution


@dataclass(frozen=True)
class Shards:
    """The processes that torchrun started; a program started by itself is the only one.

    Parameters
    ----------
    rank, world : int
        Number of this process, and of processes.
    local : int
        Number of this process on its machine: its GPU.
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def chief(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    @property
    def gpu(self) -> str | None:
        """The GPU of this process, where there are several processes: each has its own."""
        return f"cuda:{self.local}" if self.world > 1 else None

    def rows(self, count: int) -> slice:
        """This process's share of ``count`` samples: consecutive, and as many as any other's, give or take one."""
        edges = np.linspace(0, count, self.world + 1).round().astype(int)
        return slice(int(edges[self.rank]), int(edges[self.rank + 1]))

    def join(self, part: Execution, count: int) -> Execution:
        """The execution of all ``count`` samples, in every process: counts are added up, samples put in order.

        ``seconds`` is that of the slowest. The parts must come from one net and carry no comparison.
        """
        if self.world == 1:
            return part
        import torch
        import torch.distributed as dist

        mine = part.counts
        # Every process ran the same graph: the tables have the same names, in the same order.
        whole = Counts(count, mine.steps, dict(mine.neurons))
        for name in TABLES:
            getattr(whole, name).update({key: self._gather(x, count) for key, x in getattr(mine, name).items()})
        for key, values in mine.sent.items():
            total = torch.from_numpy(values.copy())
            dist.all_reduce(total)
            whole.sent[key] = total.numpy()
        slowest = torch.tensor(part.seconds, dtype=torch.float64)
        dist.all_reduce(slowest, dist.ReduceOp.MAX)
        return Execution(self._gather(part.output, count), whole, self._gather(part.predictions, count),
                         float(slowest))

    def _gather(self, mine: np.ndarray, count: int) -> np.ndarray:
        """Everyone's rows. A sum of arrays that are zero outside one's own rows: their numbers may differ."""
        import torch
        import torch.distributed as dist

        whole = np.zeros((count, *mine.shape[1:]), np.int64)
        whole[self.rows(count)] = mine
        tensor = torch.from_numpy(whole)
        dist.all_reduce(tensor)
        return tensor.numpy()


@contextmanager
def shards() -> Iterator[Shards]:
    """The processes of this run, connected (gloo) while the context lasts."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Shards()
        return
    require("torch", what="a run of several processes")
    import torch.distributed as dist

    dist.init_process_group("gloo")
    try:
        yield Shards(dist.get_rank(), world, int(os.environ.get("LOCAL_RANK", "0")))
    finally:
        dist.destroy_process_group()
