"""Writes a big multiband GeoTIFF by repeating a scene, for benches and memory tests.

    python scripts/make_big_raster.py --scene SCENE.tif --out BIG.tif --size 20000 20000

Copies are mirrored, so neighbours meet without an edge.  Bands beyond the scene's repeat
from the first one, values are `value * scale` cast to --dtype.  Written in rows of blocks:
memory is one row of blocks and the scene.  CRS, upper left corner and pixel size are the
scene's.  The file is sparse nowhere: every block holds data.

Prints one JSON line.  Needs: numpy, rasterio.
"""

import argparse
import json
import os
import time

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

STRIP_ROWS = 64
DTYPES = ["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]


def mirrored(length, period):
    """Indexes 0..period-1 forwards, backwards, forwards ... up to `length`."""
    position = np.arange(length) % (2 * period)
    return np.where(position < period, position, 2 * period - 1 - position)


def output_profile(scene, arguments):
    width, height = arguments.size
    profile = {
        "driver": "GTiff",
        "count": arguments.bands or scene.count,
        "height": height,
        "width": width,
        "dtype": arguments.dtype or scene.dtypes[0],
        "crs": scene.crs,
        "transform": scene.transform,
        "interleave": arguments.interleave,
        "compress": arguments.compress,
        "bigtiff": "if_safer",
    }
    if arguments.tiled:
        profile |= {"tiled": True, "blockxsize": arguments.block, "blockysize": arguments.block}
    else:
        profile |= {"tiled": False, "blockysize": 1}
    return profile


def write_mosaic(scene_path, arguments):
    with rasterio.open(scene_path) as scene:
        profile = output_profile(scene, arguments)
        values = scene.read()[np.arange(profile["count"]) % scene.count]
        names = [scene.descriptions[band % scene.count] for band in range(profile["count"])]
    dtype = np.dtype(profile["dtype"])
    scaled = values.astype(np.float64) * arguments.scale
    if dtype.kind in "iu":
        scaled = np.clip(np.rint(scaled), np.iinfo(dtype).min, np.iinfo(dtype).max)
    values = scaled.astype(dtype)

    height, width = profile["height"], profile["width"]
    rows, cols = mirrored(height, values.shape[1]), mirrored(width, values.shape[2])
    step = arguments.block if arguments.tiled else STRIP_ROWS
    with rasterio.open(arguments.out, "w", **profile) as out:
        for band, name in enumerate(names, 1):
            if name:
                out.set_band_description(band, name)
        for row in range(0, height, step):
            strip = values[:, rows[row : row + step]][:, :, cols]
            out.write(strip, window=Window(0, row, width, strip.shape[1]))
    return profile


def build_overviews(path, shape):
    """Halves until the shorter side is below 256 px."""
    levels = []
    while min(shape) // (2 ** (len(levels))) > 256:
        levels.append(2 ** (len(levels) + 1))
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews(levels, Resampling.average)
    return levels


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scene", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--size", type=int, nargs=2, required=True, metavar=("W", "H"))
    parser.add_argument("--bands", type=int, help="default: the scene's")
    parser.add_argument("--dtype", choices=DTYPES, help="default: the scene's")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--tiled", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--block", type=int, default=256, help="px, a multiple of 16")
    parser.add_argument("--interleave", choices=["pixel", "band"], default="pixel")
    parser.add_argument("--compress", choices=["none", "deflate", "lzw", "zstd"], default="none")
    parser.add_argument("--overviews", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--cache-mb", type=int, default=256)
    arguments = parser.parse_args()

    start = time.perf_counter()
    # As an integer, rasterio takes bytes, where the GDAL option of that name takes MB.
    with rasterio.Env(GDAL_CACHEMAX=arguments.cache_mb * 2**20):
        profile = write_mosaic(arguments.scene, arguments)
        shape = (profile["height"], profile["width"])
        levels = build_overviews(arguments.out, shape) if arguments.overviews else []
    report = {
        "width": profile["width"],
        "height": profile["height"],
        "bands": profile["count"],
        "dtype": str(profile["dtype"]),
        "overviews": levels,
        "bytes": os.path.getsize(arguments.out),
        "seconds": round(time.perf_counter() - start, 2),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
