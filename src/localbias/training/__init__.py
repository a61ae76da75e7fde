"""Training a denoiser: the loop, its state, checkpoints that resume it bit for bit.

Here lives what takes steps. What is trained on, what is measured, and what is kept is the caller's.
"""

from localbias.training.checkpoint import load_checkpoint, save_checkpoint
from localbias.training.device import auto_device, use_threads
from localbias.training.loop import State, Training, train
from localbias.training.penalty import Locality, Penalty

__all__ = [
    "Locality",
    "Penalty",
    "State",
    "Training",
    "auto_device",
    "load_checkpoint",
    "save_checkpoint",
    "train",
    "use_threads",
]
