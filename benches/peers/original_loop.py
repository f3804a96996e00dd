"""Peer: the large-image loop of SSMGNet's own code, whole image in memory.

    python benches/peers/original_loop.py --model CHECKPOINT --raster IN.tif --out CLASS.tif

Windows of 256 px with 200 px overlap (stride 56), rows then columns, the last ones shifted
back to the edge, one at a time; class *ids* are summed and divided by count + 1e-6, then
rounded.  Averaging ids invents classes: between 0 and 2 lies 1.  For comparison only.
Because of the 1e-6 an exact half always rounds down, not to even.

Prints one JSON line.  Needs: numpy, torch, rasterio, safetensors.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from ssmgnet_reference import network_from_checkpoint  # noqa: E402


def predict_patch(network, patch):
    """Class ids of one window: softmax, then argmax, as the original does."""
    image = torch.tensor(patch, dtype=torch.float32)[None]
    with torch.no_grad():
        logits, _, _ = network(image)
        return torch.softmax(logits, dim=1).argmax(dim=1)[0].numpy()


def predict_by_averaged_ids(network, image, window_px, overlap_px):
    """[C, H, W] -> class ids and the number of windows that were run."""
    _, height, width = image.shape
    total = np.zeros((height, width), np.float64)
    count = np.zeros((height, width), np.float32)
    n_windows = 0
    for row in range(0, height, window_px - overlap_px):
        for col in range(0, width, window_px - overlap_px):
            bottom, right = min(row + window_px, height), min(col + window_px, width)
            top, left = max(bottom - window_px, 0), max(right - window_px, 0)
            area = (slice(top, bottom), slice(left, right))
            total[area] += predict_patch(network, image[(slice(None), *area)])
            count[area] += 1
            n_windows += 1
    return np.round(total / (count + 1e-6)).astype(np.uint8), n_windows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--raster", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--window", type=int, default=256, help="px")
    parser.add_argument("--overlap", type=int, default=200, help="px")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    network, scale, offset = network_from_checkpoint(arguments.model)
    start = time.perf_counter()
    with rasterio.open(arguments.raster) as raster:
        image = raster.read(list(range(1, len(scale) + 1))).astype(np.float32)
        profile = {"crs": raster.crs, "transform": raster.transform}
    image = np.nan_to_num(image * scale[:, None, None] + offset[:, None, None], nan=0.0)
    classes, n_windows = predict_by_averaged_ids(
        network, image, arguments.window, arguments.overlap
    )
    height, width = classes.shape
    profile |= {"count": 1, "dtype": "uint8", "height": height, "width": width}
    with rasterio.open(arguments.out, "w", driver="GTiff", **profile) as out:
        out.write(classes, 1)
    seconds = time.perf_counter() - start
    report = {
        "peer": "original_loop",
        "torch": torch.__version__,
        "threads": arguments.threads,
        "width": width,
        "height": height,
        "bands": len(scale),
        "windows": n_windows,
        "seconds": round(seconds, 4),
        "seconds_per_pixel": seconds / (width * height),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
