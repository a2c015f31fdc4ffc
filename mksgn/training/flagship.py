"""The recipe of the flagship: which trainings make the network that we ship, in which order.

    a CTR-GCN that reads all four modalities   teacher, the same for every seed; or four, one per modality
    two MK-SGNs of one time step, taught       members, which differ in their seeds; each in two cycles
    both in one mksgn.net                      joined: one readout adds up their logits

Each training is a program of train/ with its options; a step that is finished is not done again. Nothing here imports
torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mksgn.training.steps import Step, merged
from mksgn.training.streams import ALL, EARLY, streams_of

TEACHER = ("--preset", "nw-ucla", "--epochs", "60", "--average-part", "0.3")
"""Every teacher: train_teacher.py, 60 passes of CTR-GCN at half its published width, averaged weights (0009)."""
MEMBER = ("--preset", "mksgn-4", "--graph-conv", "layer", "--time-steps", "1", "--synop-target", "42e6",
          "--epochs", "70", "--average-part", "0.3", "--tune-epochs", "0", "--val-subjects",
          "--distil", "ce-kl", "--gamma", "1", "1", "0")
"""Every member: train_slayer.py. One time step (0010), fixed-weight joint mixing as in the paper, averaged weights
(0009), soft labels on every augmented sample (0005), and integers by rounding alone."""
AGAIN = ("--lr", "2e-3")
"""What differs in a member's second cycle, which starts from the weights of the first: its largest learning rate."""
AGAIN_SEED = 100
"""Added to the seed in the second cycle, so that it meets other augmented samples."""
MEMBERS = 2
TEACHER_SECONDS = 0.017
MEMBER_SECONDS = {EARLY: 0.022, ALL: 0.040}
"""Seconds that an epoch takes per training sequence of NW-UCLA, on one core of a Xeon with AMX. With four teachers it
is an estimate, by what one adds."""


def steps(data: str, out: Path, seed: int, teachers: Path, modality: str = EARLY, shared: tuple[str, ...] = (),
          teacher_words: tuple[str, ...] = (), member_words: tuple[str, ...] = ()) -> Iterator[Step]:
    """The recipe, top to bottom.

    Parameters
    ----------
    data : str
    out : Path
        Folder of the whole; the joined network is in it.
    seed : int
        Members have seeds ``2 seed`` and ``2 seed + 1``, and 100 more in their second cycles; teachers always have 0.
    teachers : Path
        Folder of the teachers; one set serves all seeds.
    modality : 'early' or 'all'
        What the teachers read.
    shared : tuple of str
        Further options of all trainings.
    teacher_words, member_words : tuple of str
        Further options of one kind; they overrule the recipe's.
    """
    taught_by = []
    for step in teacher_steps(data, teachers, modality, merged(TEACHER, shared, teacher_words)):
        yield step
        taught_by.append(str(step.out))
    members = []
    for number in range(MEMBERS):
        begun, folder = out / f"start-{number + 1}", out / f"run-{number + 1}"
        own = MEMBERS * seed + number
        for kind, where, further, drawn in (("member, begun", begun, (), own),
                                            ("member", folder, (*AGAIN, "--start", str(begun)), own + AGAIN_SEED)):
            words = merged(MEMBER, further, shared, member_words)
            yield Step(kind, "train_slayer.py",
                       ("--data", data, *words, "--seed", str(drawn), "--teacher", *taught_by), where, "mksgn.net",
                       core_seconds=MEMBER_SECONDS[modality])
        members.append(str(folder))
    yield Step("join", "join_runs.py", ("--data", data, "--run", *members), out, "mksgn.net", "")


def teacher_steps(data: str, folder: Path, modality: str, words: tuple[str, ...]) -> Iterator[Step]:
    """The teachers, ``folder``/teacher-STREAM, with these options: one (``EARLY``), or one for each modality."""
    for stream in streams_of(modality):
        yield Step("teacher", "train_teacher.py", ("--data", data, *words, "--modality", stream),
                   folder / f"teacher-{stream}", "weights.safetensors", core_seconds=TEACHER_SECONDS)
