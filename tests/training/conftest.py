"""What several tests of training share."""

from __future__ import annotations

import pytest
from distilled import DATA
from teacher_runs import teacher_run

from mksgn.data.preprocess import MODALITIES


@pytest.fixture(scope="module")
def runs(pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teachers")
    return [teacher_run(folder / m, pack, DATA, modality=m, seed=s, width=8 * (1 + s % 2))
            for s, m in enumerate(MODALITIES)]
