"""Compares two rasters of one size, band by band: class maps, layers or pictures.

    python scripts/compare_rasters.py A.tif B.tif [--tolerance 1e-4]

Prints one line per band: pixels that differ, largest difference, pixels where only one has
nodata.  Exit code 1 if a difference is above the tolerance (default 0) or nodata differs.

Needs: numpy, rasterio.
"""

import argparse
import sys

import numpy as np
import rasterio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--tolerance", type=float, default=0.0)
    arguments = parser.parse_args()
    different = False
    with rasterio.open(arguments.a) as a, rasterio.open(arguments.b) as b:
        if (a.count, a.shape) != (b.count, b.shape):
            raise SystemExit(f"{a.count} bands of {a.shape} and {b.count} bands of {b.shape}")
        for band in range(1, a.count + 1):
            mask_a, mask_b = a.read_masks(band) == 0, b.read_masks(band) == 0
            values = [raster.read(band).astype(np.float64) for raster in (a, b)]
            distance = np.abs(values[0] - values[1])[~mask_a & ~mask_b]
            largest = float(distance.max()) if distance.size else 0.0
            n_apart, n_nodata = int((distance > 0).sum()), int((mask_a != mask_b).sum())
            print(
                f"band {band}: {n_apart} of {distance.size} differ, at most {largest:.3g}; nodata differs in {n_nodata}"
            )
            different |= n_nodata > 0 or not largest <= arguments.tolerance
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
