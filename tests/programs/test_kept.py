"""Results of earlier runs: what is read back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mksgn.errors import ConfigError
from mksgn.programs.kept import read_kept


def test_a_part_of_a_file_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"rows": [1, 2]}')
    assert read_kept(tmp_path / "a.json", "rows", "--keep", "--json", lambda file: sum(file["rows"])) == 3


@pytest.mark.parametrize("content", [None, "{", "[]", '{"points": []}', '{"rows": ["a"]}', '"\\udcff"'])
def test_another_file_is_one_error(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as error:
        read_kept(path, "rows", "--keep", "accuracy.py --json", lambda file: sum(file["rows"]))
    assert "no rows can be read here" in str(error.value) and "--keep" in str(error.value)
    assert "a file that accuracy.py --json wrote" in str(error.value)
