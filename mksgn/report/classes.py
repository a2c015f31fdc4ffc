"""The confusion matrix: as a table while it fits, else as a map with the worst confusions listed."""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.report.schema import Confusion

MOST_TABLE = 26
"""Classes up to which the matrix is a table of numbers."""
WORST = 12


@dataclass(frozen=True)
class Cell:
    """Samples of class ``row`` taken for class ``column``; ``heat`` is the share of the row."""

    row: int
    column: int
    count: int
    heat: float


@dataclass(frozen=True)
class ClassView:
    """The matrix and what it says of each class."""

    labels: list[str]
    cells: list[list[Cell]]
    recall: list[float | None]
    precision: list[float | None]
    worst: list[Cell]
    as_table: bool


def class_view(confusion: Confusion) -> ClassView:
    """Rows as shares, recall and precision per class, the most frequent confusions."""
    matrix = confusion["matrix"]
    sums = [sum(row) for row in matrix]
    taken = [sum(column) for column in zip(*matrix)]
    cells = [[Cell(i, j, count, round(count / sums[i], 3) if sums[i] else 0.0) for j, count in enumerate(row)]
             for i, row in enumerate(matrix)]
    wrong = sorted((cell for row in cells for cell in row if cell.row != cell.column and cell.count),
                   key=lambda cell: (-cell.count, -cell.heat))
    return ClassView(confusion["labels"], cells,
                     [matrix[i][i] / total if total else None for i, total in enumerate(sums)],
                     [matrix[i][i] / total if total else None for i, total in enumerate(taken)],
                     wrong[:WORST], len(matrix) <= MOST_TABLE)
