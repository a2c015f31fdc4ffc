"""A message that arrives between the looks of two threads: played by hand, so that it happens every time.

Run as a program, since the reader of a stock port waits for ever: ``python lava_race.py stock|repaired``
prints the messages that were received.
"""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
from lava.magma.compiler.channels import pypychannel
from lava.magma.compiler.channels.watchdog import NoOPWatchdog
from lava.magma.runtime.message_infrastructure.multiprocessing import MultiProcessing

from mksgn.lava.channels import repair

WAIT_S = 100
"""For what must come, on a machine that is busy with other things."""
LOST_S = 2
"""How long the reader of a stock port is watched waiting for a message that it has missed: it would wait for ever."""


def play(wait_s: float) -> list[int]:
    """Message 1 is taken, and its reader waits for more, while the port's thread is about to queue message 2."""
    infrastructure, watchdog = MultiProcessing(), NoOPWatchdog(None)
    infrastructure.start()
    channel = pypychannel.PyPyChannel(infrastructure, "source", "sink", (1,), np.int64, 4, watchdog, watchdog, watchdog,
                                      watchdog)
    source, sink = channel.src_port, channel.dst_port
    source.start()
    sink.start()
    second, go = threading.Event(), threading.Event()
    put, seen = sink._queue.put_nowait, []

    def put_slowly(item: int) -> None:
        seen.append(item)
        if len(seen) == 2:
            second.set()
            assert go.wait(WAIT_S)
        put(item)

    sink._queue.put_nowait = put_slowly
    source.send(np.array([1]))
    sink.peek()  # it is in the queue, and nobody has taken it
    source.send(np.array([2]))
    assert second.wait(WAIT_S)
    received = [int(sink.recv()[0])]
    selector = pypychannel.CspSelector()
    reader = threading.Thread(target=lambda: received.append(int(selector.select((sink, sink.recv))[0])), daemon=True)
    reader.start()
    while not selector._cv._waiters:
        threading.Event().wait(0.01)
    go.set()
    reader.join(wait_s)
    infrastructure.smm.shutdown()
    return received


if __name__ == "__main__":
    repaired = sys.argv[1] == "repaired"
    if repaired:
        repair()
    print(*play(WAIT_S if repaired else LOST_S), flush=True)
    os._exit(0)  # the ports' threads never end
