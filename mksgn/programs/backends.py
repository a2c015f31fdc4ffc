"""Backends opened for a program: with a bar that shows how far each of them is, and closed whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from rich.console import Console

from mksgn.ir import Graph
from mksgn.programs.console import sample_progress
from mksgn.run.backend import Backend, StreamingBackend
from mksgn.run.registry import open_backend
from mksgn.run.time_modes import Time, name_in


@dataclass(frozen=True)
class BackendChoice:
    """A backend that a program is to open.

    Parameters
    ----------
    backend : str
        Its name in the registry.
    time : 'clip' or 'stream'
    options : mapping
        Of the backend; None in it means: not given.
    """

    backend: str
    time: Time = "clip"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in the output."""
        return name_in(self.time, self.backend)


class SampleBar:
    """Progress over all samples and backends; nothing where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        self.progress = sample_progress(console)
        self.tasks: dict[str, Any] = {}
        self.start = 0

    def add(self, name: str, total: int) -> None:
        """Show a backend that will run ``total`` samples."""
        self.tasks[name] = self.progress.add_task(f"{name}: starting", total=total)

    def part(self, backend: Backend, start: int) -> None:
        """A backend is about to run the samples from number ``start`` on."""
        self.start = start

    def advance(self, name: str) -> Callable[[int], None]:
        """What the backend calls with the number of samples that it has run."""
        return lambda done: self.progress.update(self.tasks[name], completed=self.start + done, description=name)


@contextmanager
def opened(console: Console, graph: Graph,
           choices: Sequence[BackendChoice]) -> Iterator[tuple[list[StreamingBackend], SampleBar]]:
    """Open the chosen backends for the graph of a clip, and a bar for all of them.

    Raises
    ------
    ConfigError, GraphError, BackendError
        As :func:`mksgn.run.registry.open_backend`.
    """
    bar = SampleBar(console)
    with ExitStack() as stack:
        found = []
        for choice in choices:
            backend = open_backend(choice.backend, graph, choice.time, progress=bar.advance(choice.name),
                                   **choice.options)
            stack.callback(backend.close)
            found.append(cast(StreamingBackend, backend))
        stack.enter_context(bar.progress)
        yield found, bar
