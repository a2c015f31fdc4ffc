"""``mksgn COMMAND``: what is found, what is said of what is not, and that nothing slow is loaded for it."""

from __future__ import annotations

import importlib.util

import pytest
from answers import OPTIONS, Answer, answers_of

from mksgn import __version__
from mksgn.commands.dispatch import COMMANDS, NAMES, main
from mksgn.programs.started import PROGRAMS, told

BUILT = [command for command in COMMANDS if importlib.util.find_spec(command.module)]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {command.name} " in shown and command.says in shown for command in COMMANDS)
    assert max(map(len, shown.splitlines())) <= 120
    assert main([]) == 2 and capsys.readouterr().out == shown
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"mksgn {__version__}\n"


def test_every_program_with_a_command_is_one_of_them() -> None:
    started = {name.split()[0] for name in PROGRAMS}
    assert started <= set(NAMES) and len(set(NAMES)) == len(NAMES)
    assert started <= {command.name for command in BUILT}


@pytest.mark.parametrize(("name", "fix"), [("rnu", "mksgn run"), ("dance", "mksgn --help"), ("--net", "mksgn --help")])
def test_an_unknown_command_is_one_error(name: str, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--net", "x.net"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: unknown command") and f"fix:     {fix}" in said and "convert" in said


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], Answer]:
    """What the commands answer, all in one process."""
    return answers_of(*(f"mksgn:{command.name}" for command in BUILT))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", [command.name for command in BUILT])
def test_a_command_answers_before_anything_slow_is_loaded(name: str, option: str,
                                                          answers: dict[tuple[str, str], Answer]) -> None:
    done = answers[f"mksgn:{name}", option]
    assert done.code == (0 if option == "--help" else 2), done.err[-2000:]
    assert not done.slow
    if option == "--help":
        assert f"    mksgn {name}" in done.out and f"usage: mksgn {name} " in done.out
        assert "python " not in done.out.split("usage:")[0]
    else:
        assert option in done.err


def test_texts_name_what_the_user_started() -> None:
    text = """    mksgn run --net a.net
    torchrun --nproc-per-node 2 -m mksgn run --net a.net
A net that mksgn train wrote; mksgn running, mksgn.net."""
    assert told(text, "mksgn energy") == text
    assert told(text, "python deploy/run_lava.py") == """    python deploy/run_lava.py --net a.net
    torchrun --nproc-per-node 2 deploy/run_lava.py --net a.net
A net that train/train_slayer.py wrote; mksgn running, mksgn.net."""
    assert told("mksgn run", "python train/train_slayer.py") == "python deploy/run_lava.py"
