"""Parts of a training recipe: presets, batches, checkpoints, the log."""
