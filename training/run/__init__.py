"""Parts of every training run: checkpoints, progress, schedule of the learning rate."""
