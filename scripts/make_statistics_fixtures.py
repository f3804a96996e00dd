#!/usr/bin/env python3
"""Writes tests/fixtures/statistics/*.json: what numpy, scikit-learn, scipy and the package
`spectral` compute, for the tests of metrics, spectra and indices in nunatak-domain.

    python scripts/make_statistics_fixtures.py SENTINEL2_SCENE.tif

The scene is `scene2_13band_uint16.tif` of sentinel-hub/eo-learn's example data (MIT; contains
Copernicus Sentinel data); a window of 28 x 24 pixels of it goes into the fixture.
Needs numpy, scipy, scikit-learn, spectral and rasterio. Deterministic.
"""

import json
import sys
from pathlib import Path

import numpy as np
import rasterio
import spectral
from scipy import stats
from sklearn import covariance, metrics

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "statistics"


def write(name, value):
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(clean(value), separators=(",", ":"))
    (OUT / name).write_text(text + "\n")


def clean(value):
    """Plain lists and numbers; NaN becomes null."""
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [clean(item) for item in value]
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, (np.floating, float)):
        return float(value) if np.isfinite(value) else None
    return value


def confusion():
    rng = np.random.default_rng(7)
    cases = []
    for ids, n in [([1, 2, 3], 200), ([0, 4, 7, 9, 300], 500), ([2, 5], 40), ([3], 10)]:
        truth = rng.choice(ids, n)
        noise = rng.choice(ids, n)
        mapped = np.where(rng.random(n) < 0.6, truth, noise)
        cases.append((truth, mapped))
    # 5 is never mapped, 8 never in the reference.
    cases.append((np.array([1, 1, 2, 5, 5, 2, 1]), np.array([1, 2, 2, 1, 2, 8, 1])))
    out = []
    for truth, mapped in cases:
        labels = sorted(set(truth) | set(mapped))
        nan = {"labels": labels, "zero_division": np.nan}
        case = {
            "reference": truth,
            "map": mapped,
            "classes": labels,
            "counts": metrics.confusion_matrix(truth, mapped, labels=labels),
            "overall_accuracy": metrics.accuracy_score(truth, mapped),
            "kappa": metrics.cohen_kappa_score(truth, mapped),
        }
        for name, beta in [("f1", 1.0), ("f2", 2.0)]:
            case[name] = metrics.fbeta_score(truth, mapped, beta=beta, average=None, **nan)
            for average in ["macro", "weighted"]:
                case[f"{average}_{name}"] = metrics.fbeta_score(truth, mapped, beta=beta, average=average, **nan)
        for name, score in [("precision", metrics.precision_score), ("recall", metrics.recall_score)]:
            case[name] = score(truth, mapped, average=None, **nan)
            for average in ["macro", "weighted"]:
                case[f"{average}_{name}"] = score(truth, mapped, average=average, **nan)
        iou = metrics.jaccard_score(truth, mapped, labels=labels, average=None, zero_division=0)
        case["iou"] = iou
        case["mean_iou"] = metrics.jaccard_score(truth, mapped, labels=labels, average="macro", zero_division=0)
        case["frequency_weighted_iou"] = metrics.jaccard_score(
            truth, mapped, labels=labels, average="weighted", zero_division=0
        )
        out.append(case)
    write("confusion.json", out)


def olofsson(n, area):
    """Equations 1-11 of Olofsson et al. (2014); rows of n are map classes."""
    n, area = np.asarray(n, float), np.asarray(area, float)
    total = area.sum()
    w, rows = area / total, n.sum(axis=1)
    share = n / rows[:, None]
    p = w[:, None] * share
    users = np.diag(share)
    columns = p.sum(axis=0)
    producers = np.diag(p) / columns
    spread = share * (1 - share) / (rows - 1)[:, None]
    q = len(area)
    producers_se = []
    for j in range(q):
        own = area[j] ** 2 * (1 - producers[j]) ** 2 * spread[j, j]
        others = producers[j] ** 2 * sum(area[i] ** 2 * spread[i, j] for i in range(q) if i != j)
        producers_se.append(np.sqrt(own + others) / (total * columns[j]))
    return {
        "overall": np.diag(p).sum(),
        "overall_se": np.sqrt((w**2 * users * (1 - users) / (rows - 1)).sum()),
        "users": users,
        "users_se": np.sqrt(users * (1 - users) / (rows - 1)),
        "producers": producers,
        "producers_se": producers_se,
        "proportions": p,
        "area": total * columns,
        "area_se": total * np.sqrt(((w[:, None] * p - p**2) / (rows - 1)[:, None]).sum(axis=0)),
    }


def area():
    paper = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
    mapped = [200_000, 150_000, 3_200_000, 6_450_000]
    found = olofsson(paper, mapped)
    # Pixels of 30 m, as in the paper: 235 086 of them are 21 158 ha, and 68 418 are 6158 ha.
    assert round(found["overall"], 3) == 0.947
    assert round(found["area"][0]) == 235_086, found["area"][0]
    assert round(1.96 * found["area_se"][0]) == 68_418, 1.96 * found["area_se"][0]
    rng = np.random.default_rng(11)
    other = rng.integers(0, 30, (5, 5)) + 40 * np.eye(5, dtype=int)
    other_mapped = rng.integers(1000, 1_000_000, 5)
    write(
        "area.json",
        [
            {"counts": paper, "mapped": mapped, **found},
            {"counts": other, "mapped": other_mapped, **olofsson(other, other_mapped)},
        ],
    )


def bhattacharyya(a, b):
    middle = (a["covariance"] + b["covariance"]) / 2
    delta = a["mean"] - b["mean"]
    logdet = lambda m: np.linalg.slogdet(m)[1]
    return delta @ np.linalg.solve(middle, delta) / 8 + 0.5 * (
        logdet(middle) - 0.5 * (logdet(a["covariance"]) + logdet(b["covariance"]))
    )


def divergence(a, b):
    inverse_a, inverse_b = np.linalg.inv(a["covariance"]), np.linalg.inv(b["covariance"])
    delta = a["mean"] - b["mean"]
    return 0.5 * np.trace((a["covariance"] - b["covariance"]) @ (inverse_b - inverse_a)) + 0.5 * np.trace(
        (inverse_a + inverse_b) @ np.outer(delta, delta)
    )


def separability():
    rng = np.random.default_rng(3)
    classes = []
    for n in [40, 25, 60]:
        mix = rng.normal(size=(4, 4))
        pixels = rng.normal(size=(n, 4)) @ mix * 0.6 + rng.normal(size=4)
        classes.append({"pixels": pixels, "mean": pixels.mean(0), "covariance": np.cov(pixels.T)})
    pairs = []
    for i in range(3):
        for j in range(i + 1, 3):
            b = bhattacharyya(classes[i], classes[j])
            d = divergence(classes[i], classes[j])
            pairs.append(
                {
                    "a": i,
                    "b": j,
                    "bhattacharyya": b,
                    "jeffries_matusita": np.sqrt(2 * (1 - np.exp(-b))),
                    "transformed_divergence": 2 * (1 - np.exp(-d / 8)),
                }
            )
    few = rng.normal(size=(4, 6)) @ rng.normal(size=(6, 6)) + 2
    shrunk, shrinkage = covariance.oas(few)
    spectra = rng.random((5, 8))
    write(
        "separability.json",
        {
            "classes": classes,
            "pairs": pairs,
            "few": {"pixels": few, "covariance": shrunk, "shrinkage": shrinkage},
            "spectra": spectra,
            "condition_number": np.linalg.cond(spectra),
            "chi_squared": [[df, p, stats.chi2.ppf(p, df)] for df in [1, 2, 3, 8, 13, 224] for p in [0.05, 0.5, 0.95, 0.999]],
        },
    )


def classify(path):
    with rasterio.open(path) as scene:
        window = rasterio.windows.Window(40, 50, 28, 24)
        stored = scene.read(window=window)
    image = np.moveaxis(stored.astype(np.float64), 0, 2)
    height, width, n_bands = image.shape
    # Three classes by brightness in the near infrared, each with more pixels than bands.
    nir = image[:, :, 7]
    limits = np.quantile(nir, [0.05, 0.3, 0.35, 0.6, 0.7, 0.98])
    mask = np.zeros((height, width), int)
    for index, (low, high) in enumerate(limits.reshape(3, 2)):
        mask[(nir >= low) & (nir < high)] = index + 1
    means = np.stack([image[mask == c].mean(0) for c in (1, 2, 3)])
    angles = spectral.spectral_angles(image, means)
    training = spectral.create_training_classes(image, mask, calc_stats=True)
    gaussian = spectral.GaussianClassifier(training).classify_image(image)
    mahalanobis = spectral.MahalanobisDistanceClassifier(training).classify_image(image)
    likelihood = np.stack(
        [stats.multivariate_normal(means[c], np.cov(image[mask == c + 1].T)).logpdf(image) for c in range(3)], axis=2
    )
    distances = np.linalg.norm(image[:, :, None, :] - means, axis=3)
    write(
        "classify.json",
        {
            "width": width,
            "height": height,
            "bands": n_bands,
            "stored": stored.reshape(-1),
            "mask": mask.reshape(-1),
            "angle_class": angles.argmin(2).reshape(-1) + 1,
            "angle": np.round(angles.min(2).reshape(-1), 9),
            "distance_class": distances.argmin(2).reshape(-1) + 1,
            "distance": np.round(distances.min(2).reshape(-1), 6),
            "gaussian_class": gaussian.reshape(-1),
            "log_likelihood": np.round(likelihood.max(2).reshape(-1), 6),
            "mahalanobis_class": mahalanobis.reshape(-1),
        },
    )


def indices():
    rng = np.random.default_rng(5)
    blue, red, nir = (rng.random(40).astype(np.float32) for _ in range(3))
    red[3] = nir[3] = 0
    b, r, n = (band.astype(np.float64) for band in (blue, red, nir))
    with np.errstate(all="ignore"):
        write(
            "index.json",
            {
                "blue": b,
                "red": r,
                "nir": n,
                "ndvi": (n - r) / (n + r),
                "evi": 2.5 * (n - r) / (n + 6 * r - 7.5 * b + 1),
                "mixed": np.where((n > r) & (b < 0.5), np.sqrt(n) ** 1.5 - np.arctan(r), np.minimum(b, -(r**2))),
            },
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    confusion()
    area()
    separability()
    classify(sys.argv[1])
    indices()
