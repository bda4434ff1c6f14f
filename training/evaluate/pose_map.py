"""Draws the paper's figure S.1: a t-SNE map of unseen poses and of their reconstructions by the tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.tokens.tokenizer import Tokenizer
from training.data.mocap import Mocap
from training.tokenizer.reconstruction import upright


@torch.no_grad()
def pose_pairs(tokenizer: Tokenizer, body: TorchBody, axis_angle: Tensor) -> tuple[NDArray, NDArray]:
    """Return joints (N, 22, 3) of body poses (N, 21, 3) in radians and of their reconstructions, upright, in metres."""
    truth = rotmat_from_axis_angle(axis_angle)
    found = tokenizer.decode(tokenizer.encode(truth))
    truth_m, found_m = (body.landmarks(*upright(rotmats))[0][:, :22].numpy() for rotmats in (truth, found))
    return truth_m, found_m


def embed(joints: NDArray, seed: int = 0) -> NDArray[np.floating]:
    """Embed poses (N, J, 3) in the plane (N, 2) by t-SNE (van der Maaten and Hinton 2008)."""
    from sklearn.manifold import TSNE

    tsne = TSNE(perplexity=min(30.0, (len(joints) - 1) / 3), init="pca", random_state=seed)
    return tsne.fit_transform(joints.reshape(len(joints), -1))


def draw_pose_map(tokenizer: Tokenizer, body: TorchBody, mocap: Mocap, path: Path, poses: int = 500) -> None:
    """Draw evenly spaced poses of a split as a PNG; a line joins each pose to its reconstruction."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    frames = torch.linspace(0, len(mocap) - 1, min(poses, len(mocap))).long()
    truth, found = pose_pairs(tokenizer, body, mocap.axis_angle[frames, 1:])
    places = embed(np.concatenate((truth, found)))
    gt, pr = places[: len(truth)], places[len(truth) :]
    figure, axes = plt.subplots(figsize=(7, 7), layout="constrained")
    axes.plot(*np.stack((gt, pr)).transpose(2, 0, 1), color="0.7", linewidth=0.7, zorder=1)
    axes.scatter(gt[:, 0], gt[:, 1], s=22, facecolors="none", edgecolors="tab:blue", label="GT: pose")
    axes.scatter(pr[:, 0], pr[:, 1], s=6, color="tab:red", label="PR: its reconstruction")
    axes.set_title(f"{len(truth)} unseen poses and their reconstructions, t-SNE of 22 joints")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)
