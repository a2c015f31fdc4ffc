"""What others have published of runs on Loihi 2, as printed; and which of them cannot be rebuilt, and why."""

from __future__ import annotations

from dataclasses import dataclass

SECOND_HAND = "second-hand"
DELAYS = f"arXiv 2510.13757 ({SECOND_HAND})"
SCALING = "OzU-CAST/LoihiScalingEfficiency, plots"
AUTOENCODER = f"arXiv 2608.18341 ({SECOND_HAND})"


@dataclass(frozen=True)
class Measured:
    """Figures of one run; None where it has none.

    Parameters
    ----------
    name : str
    group : str
        Runs of one work: they are held out together.
    source : str
    exact : bool
        We run the very network, on recorded spikes. Else its events are assumptions.
    sample_us : float or None
        Time of a sample: of one step, where samples are steps.
    dynamic_mj : float or None
        Per sample.
    static_w, total_w : float or None
    cores : int or None
        As printed.
    """

    name: str
    group: str
    source: str
    exact: bool = False
    sample_us: float | None = None
    dynamic_mj: float | None = None
    static_w: float | None = None
    total_w: float | None = None
    cores: int | None = None


MEASURED = (
    Measured("PilotNet LIF", "PilotNet", "lava-dl, pilotnet_snn/benchmark.ipynb, commit dad9dfad9d81", exact=True,
             sample_us=1e6 / 408.91, dynamic_mj=1.094, static_w=0.232, cores=74),
    Measured("PilotNet LIF, another board", "PilotNet", "the same, commit 12f040219767", exact=True,
             sample_us=1e6 / 342.29, cores=74),
    Measured("200 LIF", "scaling", SCALING, sample_us=1.77, total_w=0.46 + 5 * 1.8e-3, cores=5),
    Measured("1,200 LIF", "scaling", SCALING, sample_us=1.77, total_w=0.46 + 69 * 1.8e-3, cores=69),
    Measured("keywords, feed-forward, delays", "delays", DELAYS, sample_us=1460, dynamic_mj=0.28,
             static_w=(0.46 - 0.28) / 1.46),
    Measured("keywords, feed-forward", "delays", DELAYS, sample_us=1470),
    Measured("keywords, recurrent, delays", "delays", DELAYS, sample_us=1540, dynamic_mj=0.21,
             static_w=(0.36 - 0.21) / 1.54),
    Measured("keywords, recurrent", "delays", DELAYS, sample_us=1490),
    Measured("autoencoder", "autoencoder", AUTOENCODER, sample_us=48.3, dynamic_mj=0.0406, cores=74),
    Measured("CLP-SNN", "CLP-SNN", "elvinhajizada/CLP-SNN, loihi2_cost_benchmark.csv (arXiv 2511.01553)",
             sample_us=330, dynamic_mj=0.01287, static_w=0.12),
    Measured("PilotNet SDNN", "PilotNet", "lava-dl, pilotnet_sdnn/benchmark.ipynb", static_w=0.276, cores=61),
    Measured("Q-learning", "Q-learning", f"arXiv 2609.32317 ({SECOND_HAND}); neurocores alone",
             static_w=(14.25 - 1.32) / 58.42, cores=34),
)

LEFT_OUT = (
    ("PilotNet SDNN: time, dynamic energy", "16.9 samples/s are the speed of its input; its dynamic power is within "
     "noise"),
    ("Q-learning: time, dynamic energy", "its neurons are microcode that simulates a cart and a pole"),
    ("autoencoder by Ethernet, 281 µs", "the time of its input"),
    ("Izhikevich neurons, 2.2-7.5 µs a step", "microcode, whose length is not published"),
    ("S4D (arXiv 2409.15022)", "we have its cores and parameters, no time and no energy"),
    ("fly connectome (arXiv 2508.16792)", "its times are ratios to another simulator"),
    ("object detection (arXiv 2605.00146), 0.96-1.9 mJ, 6-16 ms", "we have not seen its layers"),
    ("language model (arXiv 2503.18002), 41.5 tokens/s on 24 chips", "its microcode and placement are not published"),
    ("YOLO-KP", "a compile log without a measurement"),
    ("Hala Point", "no network; its peak rates are limits of the constants"),
)
"""Published runs, or parts of them, that are no test here."""
