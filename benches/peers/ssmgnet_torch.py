"""Peer: SSMGNet in PyTorch over a whole GeoTIFF, tiled with an exact halo.

    python benches/peers/ssmgnet_torch.py --model CHECKPOINT --raster IN.tif --out CLASS.tif

Reads .safetensors (with or without a Nunatak record) and PyTorch state dicts.  Windows are
tile + halo (8 px for the published network), clipped at the scene's edge, one at a time; a
pixel masked in any band is 0 in the input and 255 in the output.  Prints one JSON line;
`seconds` covers reading, network and writing, `network_seconds` the network alone.

Needs: numpy, torch, rasterio, safetensors.
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
from ssmgnet_reference import NODATA_CLASS, network_from_checkpoint, normalise, tiles  # noqa: E402


def output_profile(raster):
    return {
        "driver": "GTiff",
        "count": 1,
        "dtype": "uint8",
        "height": raster.height,
        "width": raster.width,
        "crs": raster.crs,
        "transform": raster.transform,
        "nodata": NODATA_CLASS,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--raster", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--tile", type=int, default=256, help="px, without the halo")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    network, scale, offset = network_from_checkpoint(arguments.model)
    network_seconds, n_tiles = 0.0, 0
    start = time.perf_counter()
    with rasterio.open(arguments.raster) as raster, torch.inference_mode():
        if raster.count < len(scale):
            raise SystemExit(f"model wants {len(scale)} bands, raster has {raster.count}")
        bands = list(range(1, len(scale) + 1))
        height, width = raster.shape
        with rasterio.open(arguments.out, "w", **output_profile(raster)) as out:
            for tile, window in tiles(height, width, arguments.tile, network.halo_px):
                (row, col, tile_height, tile_width), (top, left, rows, cols) = tile, window
                area = Window(left, top, cols, rows)
                values = raster.read(bands, window=area)
                mask = (raster.read_masks(bands, window=area) == 0).any(axis=0)
                mask |= np.isnan(values).any(axis=0)
                image = torch.from_numpy(normalise(values, mask, scale, offset))

                network_start = time.perf_counter()
                classes = network(image[None])[0][0].argmax(0)
                network_seconds += time.perf_counter() - network_start

                classes = classes.numpy().astype(np.uint8)
                classes[mask] = NODATA_CLASS
                inner = classes[row - top :, col - left :][:tile_height, :tile_width]
                out.write(inner, 1, window=Window(col, row, tile_width, tile_height))
                n_tiles += 1
    seconds = time.perf_counter() - start
    report = {
        "peer": "ssmgnet_torch",
        "torch": torch.__version__,
        "threads": arguments.threads,
        "width": width,
        "height": height,
        "bands": len(scale),
        "tile": arguments.tile,
        "tiles": n_tiles,
        "seconds": round(seconds, 4),
        "network_seconds": round(network_seconds, 4),
        "seconds_per_pixel": seconds / (width * height),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
