"""Expected values for the label tests of nunatak-domain, computed by other programs.

    python scripts/make_label_fixtures.py tests/fixtures/labels/expected.json

polygons: rasterio.features.rasterize; sieve: rasterio.features.sieve (GDALSieveFilter);
majority and morphology: scipy.ndimage; superpixels: boundary recall and achievable accuracy of
skimage.segmentation.slic on a picture that the test makes again from the same random numbers.
Class pictures are rows of digits, `.` without a label.  Needs numpy, rasterio, scipy, scikit-image.
"""

import json
import math
import sys

import numpy as np
from rasterio.features import rasterize, sieve
from scipy import ndimage
from skimage.segmentation import slic

UNLABELLED = 65535


def runs(mask):
    found = []
    for row, values in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], values.astype(int), [0]])))
        found += [[row, int(a), int(b - a)] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return found


def random_ring(random, kind, width, height):
    n = int(random.integers(3, 12))
    if kind == "star":
        n = 1500
        angle = np.sort(random.uniform(0, 2 * math.pi, n))
        radius = random.uniform(5, 40, n)
        ring = np.stack([width / 2 + radius * np.cos(angle), height / 2 + radius * np.sin(angle)], 1)
    else:
        ring = random.uniform([-20, -20], [width + 20, height + 20], (n, 2))
    if kind == "whole":
        ring = np.round(ring)
    if kind == "half":
        ring = np.round(ring) + 0.5
        # GDAL's answer for edges along a row of centres depends on the ring's direction.
        for i in range(n):
            while ring[i, 1] == ring[i - 1, 1] or (i == n - 1 and ring[i, 1] == ring[0, 1]):
                ring[i, 1] += 1
    return ring


def polygons():
    random = np.random.default_rng(1)
    width, height = 64, 48
    cases = []
    for kind in ["free"] * 20 + ["whole"] * 8 + ["half"] * 8 + ["star"] + ["rings"] * 6:
        rings = [random_ring(random, kind, width, height)]
        if kind == "rings":
            rings.append(random_ring(random, kind, width, height))
        rings = [[[float(x), float(y)] for x, y in ring.round(6)] for ring in rings]
        shape = {"type": "Polygon", "coordinates": [ring + ring[:1] for ring in rings]}
        mask = rasterize([shape], out_shape=(height, width), all_touched=False)
        cases.append({"kind": kind, "rings": rings, "runs": runs(mask)})
    return {"width": width, "height": height, "cases": cases}


def picture_of(ids):
    return ["".join("." if value == UNLABELLED else str(value) for value in row) for row in ids.tolist()]


def class_picture(smooth=1.1):
    random = np.random.default_rng(2)
    noise = ndimage.gaussian_filter(random.normal(size=(5, 50, 70)), (0, smooth, smooth))
    ids = noise.argmax(0).astype(np.uint16)
    ids[ndimage.gaussian_filter(random.normal(size=ids.shape), 2.0) > 0.12] = UNLABELLED
    return ids


def sieves(ids):
    cases = []
    for min_px, connectivity in [(2, 4), (4, 4), (10, 4), (10, 8), (40, 4), (60, 8), (500, 4)]:
        result = sieve(ids.astype(np.int32), min_px, mask=ids != UNLABELLED, connectivity=connectivity)
        cases.append({"min_px": min_px, "connectivity": connectivity, "result": picture_of(result)})
    return cases


def most_frequent(values):
    own = values[len(values) // 2]
    if own == UNLABELLED:
        return own
    classes, counts = np.unique(values[values != UNLABELLED], return_counts=True)
    best = classes[counts == counts.max()]
    return own if own in best else best[0]


def majorities(ids):
    cases = []
    for size in [3, 5, 9]:
        result = ndimage.generic_filter(ids.astype(float), most_frequent, size, mode="constant", cval=UNLABELLED)
        cases.append({"size_px": size, "result": picture_of(result.astype(int))})
    return cases


def morphologies(ids):
    def disc(radius):
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        return x * x + y * y <= radius * radius

    def diamond(radius):
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        return abs(x) + abs(y) <= radius

    def erode(mask, element):
        return ndimage.binary_erosion(mask, element, border_value=1)

    dilate = ndimage.binary_dilation
    operations = {
        "erode": erode,
        "dilate": dilate,
        "open": lambda mask, element: dilate(erode(mask, element), element),
        "close": lambda mask, element: erode(dilate(mask, element), element),
    }
    elements = {"square": (1, np.ones((3, 3))), "disc": (3, disc(3)), "diamond": (2, diamond(2))}
    cases = []
    for operation, function in operations.items():
        for shape, (radius, element) in elements.items():
            mask = function(ids == 3, element)
            cases.append({"operation": operation, "shape": shape, "radius_px": radius, "runs": runs(mask)})
    return {"class": 3, "cases": cases}


class Lcg:
    """Numerical Recipes' linear congruential generator; the test has the same."""

    def __init__(self, state):
        self.state = state

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) / 2**24


def superpixel_picture():
    """Voronoi cells with noise: values [row, col, band] and cell of each pixel."""
    width, height, n_cells, n_bands = 120, 100, 30, 3
    random = Lcg(7)
    cells = [[random.next() * width, random.next() * height] for _ in range(n_cells)]
    colors = [[random.next() for _ in range(n_bands)] for _ in range(n_cells)]
    truth = np.zeros((height, width), int)
    values = np.zeros((height, width, n_bands), np.float32)
    for row in range(height):
        for col in range(width):
            distance = [(x - col) ** 2 + (y - row) ** 2 for x, y in cells]
            truth[row, col] = int(np.argmin(distance))
            for band in range(n_bands):
                noise = (random.next() - 0.5) * 0.2
                values[row, col, band] = colors[truth[row, col]][band] + noise
    return values, truth


def borders(labels):
    found = np.zeros(labels.shape, bool)
    found[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    found[:-1, :] |= labels[:-1, :] != labels[1:, :]
    return found


def superpixels():
    values, truth = superpixel_picture()
    # 1 of skimage's [0, 1] values is 100 of ours.
    labels = slic(values, n_segments=120, compactness=0.1, max_num_iter=10, convert2lab=False, start_label=0)
    near = ndimage.binary_dilation(borders(labels), np.ones((5, 5)))
    recall = near[borders(truth)].mean()
    overlap = sum(np.bincount(truth[labels == label]).max() for label in np.unique(labels))
    return {
        "n": int(labels.max()) + 1,
        "boundary_recall_2px": float(recall),
        "achievable_accuracy": float(overlap / labels.size),
        "value_checksum": float(values.astype(np.float64).sum()),
    }


def main():
    ids = class_picture()
    expected = {
        "polygons": polygons(),
        "picture": picture_of(ids),
        "sieve": sieves(ids),
        "majority": majorities(ids),
        "morphology": morphologies(ids),
        "superpixels": superpixels(),
    }
    with open(sys.argv[1], "w") as file:
        json.dump(expected, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
