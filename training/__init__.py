"""Makes this project's networks, and redoes the TokenHMR paper. Each room but the last three is a command.

tokenizer     `python -m training.tokenizer` trains pose tokenizers and measures their reconstruction
landmarks     `python -m training.landmarks` trains the landmark estimator on simulated detections
hmr           `python -m training.hmr` trains TokenHMR's second stage on pictures
ablation      `python -m training.ablation` trains many rows of changes to a tokenizer or estimator
evaluate      `python -m training.evaluate` redoes the paper's evaluations: of image sets, poses and videos
camera_bias   `python -m training.camera_bias` measures the wrong camera (section 3) and TALS against the plain loss
render        `python -m training.render` draws pictures of the free body
body          `python -m training.body` makes the free body
processes     `python -m training.processes` starts a trainer in several processes
readers       forms of published data; `python -m training.readers.poses` turns motion capture into trainers' files
data          what trainers draw from: mocap, augmentation, views, crops, mixtures of image sets
run           the loop that trains a Task, with its configuration, device, checkpoints, progress and rate
"""

from engine.command import quiet_start

quiet_start("training")
