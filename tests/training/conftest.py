"""What several tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mksgn.data.pack import Pack
from mksgn.data.preprocess import MODALITIES


@pytest.fixture(scope="session")
def runs(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Finished runs of four teachers, a modality each, of two widths."""
    from distilled import DATA
    from teacher_runs import teacher_run

    folder = tmp_path_factory.mktemp("teachers")
    return [teacher_run(folder / modality, pack, DATA, modality=modality, seed=number, width=8 * (1 + number % 2))
            for number, modality in enumerate(MODALITIES)]
