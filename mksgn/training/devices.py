"""Where training runs, and in which arithmetic."""

from __future__ import annotations

import torch

from mksgn.errors import ConfigError
from mksgn.processor import units
from mksgn.threads import use_threads


def choose_device(name: str) -> torch.device:
    """The device of that name; 'auto' is CUDA where there is one.

    Raises
    ------
    ConfigError
        When CUDA is asked for and missing.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device was found", "--device", "cuda", "cpu, auto", "leave out --device")
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def check_devices(count: int, device: torch.device) -> None:
    """Refuse more processes than there are devices for them; the CPU has room for any number.

    Raises
    ------
    ConfigError
    """
    if device.type == "cuda" and count > torch.cuda.device_count():
        raise ConfigError("there are fewer CUDA devices", "--devices", str(count), f"1 to {torch.cuda.device_count()}",
                          "give fewer --devices, or --device cpu")


NARROW = 64
"""Channels below which a network gains nothing from bfloat16 on a CPU. Two such trainings side by side lose by it."""


def choose_precision(precision: str, device: torch.device, widest: int) -> torch.dtype:
    """bfloat16 or float32 by name.

    'auto' is bfloat16 where the machine multiplies it natively and the ``widest`` layer has at least :data:`NARROW`
    channels (docs/surroundings.md has the measurement).
    """
    if precision == "auto":
        # torch's own capability, too: the environment may restrict it to what a plainer processor has.
        native = bool({"amx_bf16", "avx512_bf16"} & set(units())) and "512" in torch.backends.cpu.get_cpu_capability()
        native = native and widest >= NARROW
        if device.type == "cuda":
            native = torch.cuda.is_bf16_supported()
        precision = "bf16" if native else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def prepare_arithmetic(threads: int | None) -> None:
    """Numbers too small for a normal float are 0, and so many threads compute (None: torch's own number)."""
    torch.set_flush_denormal(True)
    use_threads(threads)
