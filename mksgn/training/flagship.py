"""The recipe of the flagship: which trainings make the network that we ship, in which order.

    four CTR-GCNs, one per modality            teachers, the same for every seed
    two MK-SGNs of one time step, taught       members, which differ in their seeds
    both in one mksgn.net                      joined: one readout adds up their logits

Each training is a program of train/ with its options; a step that is finished is not done again. Nothing here imports
torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mksgn.data.preprocess import MODALITIES
from mksgn.training.steps import Step, merged

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
    for step in teacher_steps(data, teachers, merged(TEACHER, shared, teacher_words)):
        yield step
        taught_by.append(str(step.out))
    members = []
    for number in range(MEMBERS):
        folder = out / f"run-{number + 1}"
        yield Step("member", "train_slayer.py",
                   ("--data", data, *merged(MEMBER, shared, member_words), "--seed", str(MEMBERS * seed + number),
                    "--teacher", *taught_by), folder, "mksgn.net", core_seconds=CORE_SECONDS["member"])
        members.append(str(folder))
    yield Step("join", "join_runs.py", ("--data", data, "--run", *members), out, "mksgn.net", "")


def teacher_steps(data: str, folder: Path, words: tuple[str, ...]) -> Iterator[Step]:
    """A teacher for each modality, ``folder``/teacher-MODALITY, with these options."""
    for modality in MODALITIES:
        yield Step("teacher", "train_teacher.py", ("--data", data, *words, "--modality", modality),
                   folder / f"teacher-{modality}", "weights.safetensors", core_seconds=CORE_SECONDS["teacher"])
