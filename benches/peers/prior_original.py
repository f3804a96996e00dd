"""Peer: the SF-CNM prior the way SSMGNet's own code computes it.

    python benches/peers/prior_original.py --raster IN.tif --references REFERENCES.csv

For every pixel and candidate i the vector p + lambda * e_i is materialised ([P, C, C] for a
patch of P pixels) and multiplied by W, in float32 with torch; similarity is min-max over the
valid pixels of the patch.  Needs as many references as bands, as the original does; with
fewer bands asked for (--bands) or fewer references the first ones are taken.

The raster is cut into patches of --patch px (the original's training size), which are read
before the clock starts.  Prints one JSON line.  Needs: numpy, torch, rasterio.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from ssmgnet_reference import read_references  # noqa: E402


def similarity_thresholds(matrix):
    """[C, C], a reference a column -> one threshold a reference."""
    n_bands = matrix.shape[0]
    weight = n_bands + 1
    inverse = torch.linalg.inv(matrix + weight * torch.eye(n_bands))
    samples = matrix.T[:, None, :] + weight * torch.eye(n_bands)[None]  # [i, j, C]
    result = (inverse @ samples[..., None])[..., 0]
    own = torch.diagonal(result, dim1=1, dim2=2)
    distance = (own - 1).abs() + result.abs().sum(2) - own.abs()
    distance.fill_diagonal_(float("inf"))
    return distance.amin(0)


def patch_prior(image, matrix, thresholds):
    """[C, H, W] -> similarity [H, W] and class map [H, W]."""
    n_bands, height, width = image.shape
    weight = n_bands + 1
    pixels = image.permute(1, 2, 0).reshape(-1, n_bands)
    perturbed = pixels[:, None, :] + weight * torch.eye(n_bands)[None]  # [P, C, C]
    inverse = torch.linalg.inv(matrix + weight * torch.eye(n_bands))
    output = (inverse @ perturbed[..., None])[..., 0].abs()  # [P, C, C]
    peak = output.amax(2)
    distance, best = (output.sum(2) - peak + (peak - 1).abs()).min(1)
    valid = distance < thresholds[best]
    similarity = torch.zeros(height * width)
    if valid.any():
        kept = distance[valid]
        low, high = kept.min(), kept.max()
        similarity[valid] = 1 - (kept - low) / (high - low + 1e-8)
    classes = torch.where(valid, best + 1, 0)
    return similarity.reshape(height, width), classes.reshape(height, width)


def read_patches(path, n_bands, patch_px):
    patches = []
    with rasterio.open(path) as raster:
        if raster.count < n_bands:
            raise SystemExit(f"{n_bands} bands wanted, raster has {raster.count}")
        height, width = raster.shape
        for row in range(0, height, patch_px):
            for col in range(0, width, patch_px):
                window = Window(col, row, min(patch_px, width - col), min(patch_px, height - row))
                values = raster.read(list(range(1, n_bands + 1)), window=window)
                patches.append(torch.from_numpy(np.nan_to_num(values.astype(np.float32))))
    return patches


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--raster", required=True)
    parser.add_argument("--references", required=True)
    parser.add_argument("--bands", type=int, help="default: as many as there are references")
    parser.add_argument("--scale", type=float, default=1.0, help="values * scale, e.g. 1/255")
    parser.add_argument("--patch", type=int, default=256, help="px")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest counts")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    spectra, _ = read_references(arguments.references)
    n_bands = arguments.bands or min(spectra.shape)
    matrix = torch.tensor(spectra[:n_bands, :n_bands].T, dtype=torch.float32)
    patches = read_patches(arguments.raster, n_bands, arguments.patch)
    patches = [patch * arguments.scale for patch in patches]

    times = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        thresholds = similarity_thresholds(matrix)
        counts = torch.zeros(n_bands + 1, dtype=torch.long)
        similarity_sum = 0.0
        for patch in patches:
            similarity, classes = patch_prior(patch, matrix, thresholds)
            counts += torch.bincount(classes.flatten(), minlength=n_bands + 1)
            similarity_sum += similarity.sum().item()
        times.append(time.perf_counter() - start)
    n_pixels = sum(patch[0].numel() for patch in patches)
    report = {
        "peer": "prior_original",
        "torch": torch.__version__,
        "threads": arguments.threads,
        "pixels": n_pixels,
        "bands": n_bands,
        "patches": len(patches),
        "seconds": round(min(times), 4),
        "seconds_per_pixel": min(times) / n_pixels,
        "class_counts": counts.tolist(),
        "mean_similarity": round(similarity_sum / n_pixels, 4),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
