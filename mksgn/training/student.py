"""The training of a spiking network: in floating point, perhaps taught by others, then as the integers of the chip."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from mksgn.commit import describe_commit
from mksgn.nn import SpikingGraphNet
from mksgn.teachers.weights import trained_parameters
from mksgn.training.batches import Batches, ExtraTensors
from mksgn.training.devices import choose_precision
from mksgn.training.distiller import FTM, Distiller, load_teachers
from mksgn.training.evaluation import accuracy_on_test, predictions
from mksgn.training.fusion_weights import fixed_weights, sample_weights
from mksgn.training.integers import export_integers
from mksgn.training.log import RunLog
from mksgn.training.network_file import load_network, save_network
from mksgn.training.objective import Objective, OwnFloat, estimator_optimiser, learning_rate, optimiser_of
from mksgn.training.recipe import Recipe
from mksgn.training.run_data import RunData
from mksgn.training.run_files import CHECKPOINT, FLOAT, NET, WEIGHTS
from mksgn.training.stage import Stage, StepLoss
from mksgn.training.starting import Origin, start_from_run
from mksgn.training.training import NETWORK, Training

FLOAT_STAGE, INTEGER_STAGE = "float", "tune"
GRADIENT_NORM = 5.0


class StudentTraining(Training):
    """A spiking network in training.

    Parameters
    ----------
    folder : Path
    recipe : Recipe
    data : RunData
    fabric : Fabric
    origin : Origin
    teachers : sequence of path
        Folders of finished runs that teach it; used where the recipe has distillation.
    precision : 'auto', 'bf16' or 'fp32'
    state : mapping, optional
        Of the checkpoint from which the run goes on.

    Raises
    ------
    ConfigError
        When teachers, or the run to start from, do not fit.
    """

    files = (CHECKPOINT, FLOAT, WEIGHTS, NET)
    max_norm = GRADIENT_NORM
    network: SpikingGraphNet

    def __init__(self, folder: Path, recipe: Recipe, data: RunData, fabric: Fabric, origin: Origin, *,
                 teachers: Sequence[str], precision: str, state: Mapping[str, Any] | None) -> None:
        super().__init__(folder, recipe, data, fabric, recipe.seed)
        self.dtype = choose_precision(precision, fabric.device, max(recipe.network.widths))
        frozen, extra = None, None
        if recipe.distil:
            recipe, frozen, extra = load_teachers(recipe, teachers, data, recipe.distil.teachers if state else None)
        self.recipe, self.origin = recipe, origin
        self.batches = self._batches(extra)
        self.stages = (Stage(FLOAT_STAGE, recipe.epochs, f"{FLOAT_STAGE:<5}"),
                       Stage(INTEGER_STAGE, recipe.tune_epochs, f"{INTEGER_STAGE:<5}"))
        self.results: dict[str, float] = dict(state["results"]) if state else {}
        fabric.seed_everything(recipe.seed)
        self.network = recipe.untrained(data.pack)
        self.fusion = recipe.to_dict().get("fusion")
        if origin.start is not None and state is None:
            start_from_run(self.network, origin.start, self.batches)
        self.distiller = Distiller(recipe.distil, frozen, self.network) if recipe.distil and frozen else None
        self.prepare_average()

    def _batches(self, extra: ExtraTensors | None) -> Batches:
        recipe, data, fabric = self.recipe, self.data, self.fabric
        return Batches(data.pack, data.split.train, data.preprocess, recipe.augmentation(data.pack),
                       batch=recipe.batch, passes=recipe.passes, seed=recipe.seed, rank=fabric.global_rank,
                       world=fabric.world_size, extra=extra, mixup=recipe.mixup)

    def describe(self) -> str:
        net, fabric = self.network, self.fabric
        estimator = 0 if net.fusion is None else sum(p.numel() for p in net.fusion.parameters())
        return (f"[bold]{net.config.name}[/] {net.config.widths}, T = {net.config.time_steps}, "
                f"{trained_parameters(net) - estimator:,} parameters"
                + (f", {estimator:,} of SMF's estimator" if estimator else "")
                + f"; {self.data.describe()}; {fabric.world_size} x {fabric.device.type}, {str(self.dtype)[6:]}"
                + (f"; {self.data.unlabelled} without a label are left out" if self.data.unlabelled else ""))

    def recipe_values(self) -> dict[str, Any]:
        return self.recipe.to_dict()

    def begin_stage(self, stage: Stage, state: Mapping[str, Any] | None) -> None:
        if stage.name == INTEGER_STAGE:
            if state is not None and state.get("fusion_weights") is not None:
                self.network.fix_fusion(state["fusion_weights"])
            self.network.quantize(self.recipe.scales)

    def begin_epoch(self, stage: Stage, epoch: int) -> None:
        """Early epochs have fewer time steps."""
        self.network.steps = self.recipe.steps_at(stage.name, epoch)

    def end_stage(self, stage: Stage) -> None:
        """After the float stage: average, evaluate and keep the network; then fix the weights of its modalities."""
        if stage.name == FLOAT_STAGE:
            self.network.steps = self.network.config.time_steps  # the last epochs may have had fewer
            super().end_stage(stage)
            self.results |= self._accuracy("float")
            if self.fabric.is_global_zero:
                save_network(self.folder / FLOAT, self.network)
            self.fabric.barrier()  # the fine-tuning of every process may read it
            if self.fusion == "smf":
                data = self.data
                self.network.fix_fusion(fixed_weights(sample_weights(
                    self.network, data.pack, data.split.train, data.preprocess, self.fabric.device)))
                self.results |= self._accuracy("float_fixed")

    def _accuracy(self, kind: str) -> dict[str, float]:
        """Accuracy of the network as it is on the test split, see :func:`accuracy_on_test`."""
        split = self.data.split
        predicted = predictions(self.network, self.data.samples(split.test), self.fabric.device)
        return accuracy_on_test(kind, predicted == self.data.labels(split.test), split)

    def export(self, log: RunLog) -> dict[str, Any]:
        """Choose, evaluate and write the integers; returns accuracies and what was measured with them."""
        recipe, origin = self.recipe, self.origin
        about = {"preset": origin.preset, "data": self.data.name, "recipe": json.dumps(recipe.to_dict()),
                 "commit": describe_commit(), **origin.lineage}
        if self.network.fusion_weights is not None:
            about["fusion"] = self.fusion
        choose = recipe.scales if recipe.tune_epochs > 0 and recipe.integers == "agreeing" else None
        results, measured = export_integers(self.folder, self.network.cpu(), self.data, self.results, about, choose)
        log.finish(results, **measured)
        return {**results, **measured}

    def step_loss(self, stage: Stage) -> StepLoss:
        if stage.name == INTEGER_STAGE and self.recipe.tune_loss == "own":
            return OwnFloat(self.network, load_network(self.folder / FLOAT, quantized=False), self.dtype)
        return Objective(self.network, self.recipe, self.dtype, self.distiller)

    def optimisers(self, stage: Stage) -> dict[str, Optimizer]:
        """The network's; those of SMF's estimator and of the FTM, where there are such."""
        taught = self.distiller.optimisers() if self.distiller else {}
        return {NETWORK: optimiser_of(self.network, self.recipe, stage.name),
                **estimator_optimiser(self.network, self.recipe), **taught}

    def learning_rates(self, stage: Stage, epochs: float) -> dict[str, float]:
        part = epochs / stage.epochs
        rates = {NETWORK: learning_rate(self.recipe, stage.name, part)}
        if self.recipe.distil and self.recipe.distil.features:
            rates[FTM] = self.recipe.distil.ftm_learning_rate(stage.name, part)
        return rates

    def remedy(self, optimiser: str, stage: Stage, epoch: int) -> str:
        option = "--lr"
        if optimiser == FTM:
            option = "--ftm-lr"
        elif stage.name == INTEGER_STAGE:
            option = "--tune-lr"
        elif self.recipe.averages and epoch >= self.recipe.cycle_epochs:
            option = "--average-lr"
        return f"start anew with a lower {option}"

    def validate(self) -> dict[str, float]:
        correct = predictions(self.network, self.validation, self.fabric.device) == self.data.labels(
            self.data.split.val)
        return {"val_accuracy": float(correct.mean()) if len(correct) else math.nan}

    def further_modules(self, stage: Stage) -> dict[str, nn.Module]:
        return ({FTM: self.distiller.ftm} if self.distiller else {}) | super().further_modules(stage)

    def state(self) -> dict[str, Any]:
        return {"results": self.results, "scales": self.network.scales(),
                "fusion_weights": self.network.fusion_weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.network.set_scales(state["scales"])
