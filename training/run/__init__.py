"""Parts of every training run: loop, configuration, device, checkpoints, progress."""
