"""Work of three cores that the tests of cost models price."""

from __future__ import annotations

import numpy as np

from mksgn.energy.work import CoreWork

PJ = 1e-9
"""mJ."""


def work(**given: object) -> CoreWork:
    """Three cores on two chips, with counts that are all different; T = 4, ten steps to the answer."""
    counts = {
        "neurons": [10, 20, 5], "updates_active": [30, 50, 7], "updates_idle": [10, 30, 13],
        "synops": [1000, 300, 40], "macs": [0, 70, 0], "spikes": [11, 23, 3], "messages_in": [40, 60, 9],
        "messages_out": [12, 31, 3], "hops_ew": [5, 17, 0], "hops_ns": [2, 3, 1], "chip_crossings": [0, 4, 3],
        "reads": [70, 210, 15],
    }
    arrays = {name: np.array(values, dtype=np.float64) for name, values in counts.items()}
    content: dict = {"steps": 4, "latency_steps": 10, "chip": np.array([0, 0, 1]), "host_messages": 6.0,
                     "link_messages": 25.0, "chip_link_messages": 4.0, **arrays}
    return CoreWork(**{**content, **given})


def silent() -> CoreWork:
    zero = np.zeros(3)
    return work(updates_active=zero, updates_idle=work().neurons * 4, synops=zero, macs=zero, spikes=zero,
                messages_in=zero, messages_out=zero, hops_ew=zero, hops_ns=zero, chip_crossings=zero, host_messages=0.0,
                reads=zero, link_messages=0.0, chip_link_messages=0.0)
