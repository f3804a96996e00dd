"""Peer: random windows over all bands with rasterio, at full resolution and decimated.

    python benches/peers/windowed_rasterio.py --raster IN.tif --count 200

At decimation d a window covers 256*d x 256*d px of the raster and is read as 256 x 256, so
GDAL uses an overview where the file has one.  Windows lie inside the raster; a raster
smaller than a window gives the whole raster.  The dataset stays open, one thread.  The
positions depend on the seed, the raster's size and the decimation only.

Prints one JSON line.  GDAL's block cache (--cache-mb) starts empty; the system's file cache
does not.  Needs: numpy, rasterio.
"""

import argparse
import json
import time

import numpy as np
import rasterio
from rasterio.windows import Window

WINDOW_PX = 256


def random_windows(height, width, decimation, count, seed):
    random = np.random.default_rng([seed, decimation])
    rows = min(WINDOW_PX * decimation, height)
    cols = min(WINDOW_PX * decimation, width)
    for _ in range(count):
        row = int(random.integers(height - rows + 1))
        col = int(random.integers(width - cols + 1))
        yield Window(col, row, cols, rows)


def read_level(path, decimation, count, seed):
    """Seconds for `count` windows, and the number of bytes they hold."""
    n_bytes = 0
    with rasterio.open(path) as raster:
        windows = list(random_windows(raster.height, raster.width, decimation, count, seed))
        start = time.perf_counter()
        for window in windows:
            shape = (
                raster.count,
                -(-int(window.height) // decimation),
                -(-int(window.width) // decimation),
            )
            n_bytes += raster.read(window=window, out_shape=shape).nbytes
        return time.perf_counter() - start, n_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--raster", required=True)
    parser.add_argument("--count", type=int, default=200, help="windows per level")
    parser.add_argument("--decimations", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--cache-mb", type=int, default=64)
    arguments = parser.parse_args()

    levels, total = [], 0.0
    # As an integer, rasterio takes bytes, where the GDAL option of that name takes MB.
    with rasterio.Env(GDAL_CACHEMAX=arguments.cache_mb * 2**20):
        with rasterio.open(arguments.raster) as raster:
            size = {"width": raster.width, "height": raster.height, "bands": raster.count}
        for decimation in arguments.decimations:
            seconds, n_bytes = read_level(
                arguments.raster, decimation, arguments.count, arguments.seed
            )
            total += seconds
            levels.append(
                {
                    "decimation": decimation,
                    "seconds": round(seconds, 4),
                    "windows_per_second": round(arguments.count / seconds, 2),
                    "mb_per_second": round(n_bytes / 1e6 / seconds, 2),
                }
            )
    report = {
        "peer": "windowed_rasterio",
        "gdal": rasterio.__gdal_version__,
        **size,
        "windows": arguments.count,
        "seed": arguments.seed,
        "seconds": round(total, 4),
        "levels": levels,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
