"""The recipe of the flagship: which trainings make the network that we ship, in which order.

    four CTR-GCNs, one per modality            teachers, the same for every seed
    two MK-SGNs of one time step, taught       members, which differ in their seeds
    both in one mksgn.net                      joined: one readout adds up their logits

Each training is a program of train/ with its options; a step that is finished is not done again. Nothing here imports
torch.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mksgn.data.preprocess import MODALITIES
from mksgn.errors import ConfigError

TEACHER = ("--preset", "nw-ucla", "--epochs", "80")
"""Every teacher: train_teacher.py, 80 passes of CTR-GCN at half its published width (decision 0009)."""
MEMBER = ("--preset", "mksgn-4", "--graph-conv", "layer", "--time-steps", "1", "--synop-target", "42e6",
          "--epochs", "70", "--average-part", "0.3", "--tune-epochs", "0", "--val-subjects",
          "--distil", "ce-kl", "--gamma", "1", "1", "0")
"""Every member: train_slayer.py. One time step (0010), fixed-weight joint mixing as in the paper, averaged weights
(0009), soft labels on every augmented sample (0005), and integers by rounding alone."""
MEMBERS = 2
CORE_SECONDS = {"teacher": 0.075, "member": 0.085}
"""Seconds that an epoch takes per training sequence on one core with bfloat16, as measured on NW-UCLA; members with
four teachers."""


@dataclass(frozen=True)
class Step:
    """One training, or the joining.

    Parameters
    ----------
    kind : 'teacher', 'member' or 'join'
    program : str
        Of the folder train/.
    words : tuple of str
        Its options, without --out.
    out : Path
        Its folder.
    finished : str
        File that it leaves when it has finished.
    begun : str
        File that it leaves before; empty: it cannot be resumed.
    """

    kind: str
    program: str
    words: tuple[str, ...]
    out: Path
    finished: str
    begun: str = "checkpoint.safetensors"

    @property
    def state(self) -> str:
        """'finished', 'begun' or 'to do'."""
        if (self.out / self.finished).exists():
            return "finished"
        return "begun" if self.begun and (self.out / self.begun).exists() else "to do"

    def command(self) -> tuple[str, ...]:
        """Program and options that begin it, or go on with it."""
        if self.state == "begun":
            return self.program, "--resume", "--out", str(self.out)
        return self.program, *self.words, "--out", str(self.out)

    def seconds(self, sequences: int) -> float:
        """About how long it takes on one core."""
        epochs = int(self.words[self.words.index("--epochs") + 1]) if "--epochs" in self.words else 0
        return CORE_SECONDS.get(self.kind, 0.0) * epochs * sequences


def steps(data: str, out: Path, seed: int, teachers: Path, shared: tuple[str, ...] = (),
          teacher_words: tuple[str, ...] = (), member_words: tuple[str, ...] = ()) -> Iterator[Step]:
    """The recipe, top to bottom.

    Parameters
    ----------
    data : str
    out : Path
        Folder of the whole; the joined network is in it.
    seed : int
        Members have seeds ``2 seed`` and ``2 seed + 1``; teachers always have 0.
    teachers : Path
        Folder of the teachers; one set serves all seeds.
    shared : tuple of str
        Further options of all trainings.
    teacher_words, member_words : tuple of str
        Further options of one kind; they overrule the recipe's.
    """
    taught_by = []
    for modality in MODALITIES:
        folder = teachers / f"teacher-{modality}"
        yield Step("teacher", "train_teacher.py",
                   ("--data", data, *merged(TEACHER, shared, teacher_words), "--modality", modality), folder,
                   "weights.safetensors")
        taught_by.append(str(folder))
    members = []
    for number in range(MEMBERS):
        folder = out / f"run-{number + 1}"
        yield Step("member", "train_slayer.py",
                   ("--data", data, *merged(MEMBER, shared, member_words), "--seed", str(MEMBERS * seed + number),
                    "--teacher", *taught_by), folder, "mksgn.net")
        members.append(str(folder))
    yield Step("join", "join_runs.py", ("--data", data, "--run", *members), out, "mksgn.net", "")


def merged(recipe: tuple[str, ...], *given: tuple[str, ...]) -> tuple[str, ...]:
    """Options of a recipe, overruled by those ``given``: each name once, with the values that came last."""
    found: dict[str, list[str]] = {}
    for words in (recipe, *given):
        name = ""
        for word in words:
            if word.startswith("--"):
                name, *value = word.split("=", 1)
                found[name] = list(value)
            elif name:
                found[name].append(word)
            else:
                raise ConfigError("options begin with --", got=word, fix="write '--name value'")
    return tuple(word for name, values in found.items() for word in (name, *values))


def words_of(text: str) -> tuple[str, ...]:
    """Options in one string, as a shell would part them."""
    return tuple(shlex.split(text))
