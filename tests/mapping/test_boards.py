"""Boards: sources of their values, a user's own, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from placed import KAPOHO

from mksgn.errors import ConfigError
from mksgn.mapping import board, boards
from mksgn.mapping.boards import NO_SOURCE


def test_every_value_of_our_boards_has_a_source_or_is_called_an_assumption() -> None:
    assert {b.generation for b in boards().values()} == {"Loihi 1", "Loihi 2"}
    for known in boards().values():
        for name in known.assumed.keys() | known.sources.keys():
            assert getattr(known, name) is not None
        assert NO_SOURCE not in known.assumed.values()
    assert boards()["hala-point"].cores == 140_544
    assert boards()["kapoho-point"].chips == 8 and boards()["oheo-gulch"].chips == 1


def test_a_board_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[mine]\nbase = "kapoho-point"\nchips = 3\nneurons = 8192\n[mine.sources]\nchips = "our lab"\n')
    mine = board(path)
    assert (mine.name, mine.chips, mine.neurons, mine.synapse_words) == ("mine", 3, 8192, KAPOHO.synapse_words)
    assert mine.assumed["neurons"] == NO_SOURCE and "neurons" not in mine.sources
    assert mine.sources["chips"] == "our lab"


@pytest.mark.parametrize(("text", "message"), [
    ("neurons = 5", "outside every board"), ("[a]\nneurons = 5", "fields missing"),
    ('[a]\nbase = "kapoho-point"\nneurones = 5', "unknown field"),
    ('[a]\nbase = "kapoho-point"\nneurons = -5', "neurons must be a whole number of at least 1"),
    ('[a]\nbase = "kapoho-point"\nneurons = 0', "neurons must be a whole number of at least 1"),
    ('[a]\nbase = "kapoho-point"\nneurons = 1.5', "neurons must be a whole number"),
    ('[a]\nbase = "kapoho-point"\nneurons = true', "neurons must be a whole number"),
    ('[a]\nbase = "kapoho-point"\nsynop_ns = -1.0', "synop_ns must be a number of at least 0"),
    ('[a]\nbase = "kapoho-point"\nsynop_ns = nan', "synop_ns must be a number of at least 0"),
    ('[a]\nbase = "kapoho-point"\nrouter_mesh = [8]', "must be .rows, columns."),
    ('[a]\nbase = "kapoho-point"\nchips = 9', "chip_mesh has too few places"),
    ('[a]\nbase = "kapoho-point"\nconv_axons = "shared"', "conv_axons is unknown"),
    ('[a]\nbase = "kapoho-point"\ngeneration = 2', "generation must be a text"),
    ('[a]\nbase = "kapoho-point"\nsources = {neurones = "x"}', "names an unknown field"),
    ('[a]\nbase = "moon"', "based on one that does not exist"), ("", "describes no board"), ("[a", "not TOML")])
def test_a_bad_board_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        board(path)
    assert str(path) in caught.value.where


def test_unknown_boards_and_absent_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such board") as caught:
        board("kapoho")
    assert "kapoho-point" in caught.value.allowed
    with pytest.raises(ConfigError, match="cannot be read"):
        board(tmp_path / "none.toml")
