"""Trains the sample model of sample_scenes/rachel_carson: SSMGNet, 8 bands, 6 classes.

    python scripts/train_sample_model.py --scene sample_scenes/rachel_carson/scene.tif \
        --labels sample_scenes/rachel_carson/landcover.gpkg --out sample_scenes/rachel_carson

Data: the scene and its polygons (made by make_sample_scene.py).  Polygons with `split` =
train are learned; those with held_out are only scored, once, after the last epoch.  A
polygon is burned where a pixel's centre lies in it; every other pixel is ignored.

Method: loss = class-weighted cross-entropy + w * MSE(attention, SF-CNM similarity), with
w = 6, halved at epochs 10, 20, ...; Adam, learning rate 5e-3 * 0.94^epoch, L2 1e-4; random
windows around a train polygon of a random class, flipped, rotated and spectrally jittered.
Values are divided by 255 before network and prior; the references are the mean spectra of
the train pixels.

Writes: model.safetensors (record in the metadata key `nunatak`), model.json (the same
record), references.csv (normalised values), expected_class.tif (argmax + 1).

Same seed, same machine and thread count: same weights.  Needs: numpy, torch, safetensors,
rasterio, geopandas.
"""

import argparse
import csv
import json
import os

import geopandas
import numpy as np
import rasterio
import torch
from rasterio.features import rasterize
from safetensors.torch import save_file
from torch.nn import functional

from ssmgnet_reference import NODATA_CLASS, Prior, SSMGNet, normalise, tiles

# By network class; natural, and apart for readers with a colour vision deficiency (smallest
# CIELAB distance 19 under Machado's full deuteranopia, protanopia and tritanopia).
COLORS = ["#2b62b5", "#56b4c9", "#0f4a33", "#8fae2e", "#b5683c", "#f5e6b8"]
SCALE = 1.0 / 255.0
IGNORE = -1
TILE_PX = 256
# Spectral jitter of a window, standard deviations on the normalised scale.  One water and one
# wet-sand polygon are learned: without jitter the boundary hugs the water polygon and 28 % of
# the scene, mostly turbid water, becomes wet sand.
JITTER_GAIN = 0.05
JITTER_BAND_OFFSET = 0.015
JITTER_PIXEL_NOISE = 0.01


class Scene:
    """The normalised raster, its band names and wavelengths, and the two label rasters."""

    def __init__(self, scene_path, labels_path):
        with rasterio.open(scene_path) as raster:
            values = raster.read()
            self.mask = (raster.read_masks() == 0).any(axis=0)
            self.profile = {key: raster.profile[key] for key in ("crs", "transform")}
            self.shape = raster.shape
            self.band_names = list(raster.descriptions)
            self.wavelengths_nm = [
                float(raster.tags(band)["wavelength"]) for band in raster.indexes
            ]
        n_bands = values.shape[0]
        self.scale = np.full(n_bands, SCALE, np.float32)
        self.offset = np.zeros(n_bands, np.float32)
        self.image = normalise(values, self.mask, self.scale, self.offset)

        polygons = geopandas.read_file(labels_path).to_crs(self.profile["crs"])
        names = polygons.groupby("network_class")["label"].first()
        self.class_names = [names[index] for index in range(len(names))]
        self.train = self.burn(polygons[polygons["split"] == "train"])
        self.held_out = self.burn(polygons[polygons["split"] == "held_out"])

    def burn(self, polygons):
        labels = rasterize(
            zip(polygons.geometry, polygons["network_class"]),
            out_shape=self.shape,
            transform=self.profile["transform"],
            fill=IGNORE,
            dtype="int16",
        )
        labels[self.mask] = IGNORE
        return labels.astype(np.int64)

    def mean_spectra(self):
        """Mean spectrum of the train pixels of each class: [K, C]."""
        classes = range(len(self.class_names))
        return np.stack([self.image[:, self.train == index].mean(axis=1) for index in classes])


def random_window(scene, target, window_px, random):
    """A window holding a random train pixel of a random class, flipped, rotated, jittered.

    The similarity target is of the values as measured, before the jitter.
    """
    wanted = random.integers(len(scene.class_names))
    rows, cols = np.nonzero(scene.train == wanted)
    pick = random.integers(len(rows))
    corner = []
    for position, size in ((rows[pick], scene.shape[0]), (cols[pick], scene.shape[1])):
        low = max(position - window_px + 1, 0)
        high = min(position, size - window_px)
        corner.append(random.integers(low, high + 1))
    rows = slice(corner[0], corner[0] + window_px)
    cols = slice(corner[1], corner[1] + window_px)
    parts = [scene.image[:, rows, cols], scene.train[rows, cols], target[rows, cols]]
    turns, flip = random.integers(4), random.integers(2)
    parts = [np.rot90(part, turns, axes=(-2, -1)) for part in parts]
    image, labels, similarity = [
        np.ascontiguousarray(part[..., ::-1] if flip else part) for part in parts
    ]
    return jittered(image, random), labels, similarity


def jittered(image, random):
    gain = 1 + JITTER_GAIN * random.standard_normal(dtype=np.float32)
    offset = JITTER_BAND_OFFSET * random.standard_normal((len(image), 1, 1), dtype=np.float32)
    noise = JITTER_PIXEL_NOISE * random.standard_normal(image.shape, dtype=np.float32)
    return image * gain + offset + noise


def train(network, scene, target, arguments):
    random = np.random.default_rng(arguments.seed)
    counts = np.bincount(scene.train[scene.train >= 0], minlength=len(scene.class_names))
    class_weights = torch.tensor(counts.sum() / (len(counts) * counts), dtype=torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.94)
    attention_weight = 6.0
    network.train()
    for epoch in range(1, arguments.epochs + 1):
        if epoch % 10 == 0:
            attention_weight /= 2
        totals = np.zeros(2)
        for _ in range(arguments.steps):
            windows = [
                random_window(scene, target, arguments.window, random)
                for _ in range(arguments.batch)
            ]
            image, labels, similarity = (torch.from_numpy(np.stack(part)) for part in zip(*windows))
            logits, _, attention = network(image)
            segmentation = functional.cross_entropy(
                logits, labels, weight=class_weights, ignore_index=IGNORE
            )
            guidance = functional.mse_loss(attention[:, 0], similarity)
            optimizer.zero_grad()
            (segmentation + attention_weight * guidance).backward()
            optimizer.step()
            totals += (segmentation.item(), guidance.item())
        schedule.step()
        mean = totals / arguments.steps
        print(f"epoch {epoch:2d}  segmentation {mean[0]:.4f}  attention {mean[1]:.4f}", flush=True)
    network.eval()


def predict(network, scene):
    """Logit indexes of the whole scene at once, after a check that tiles give the same map."""
    image = torch.from_numpy(scene.image)[None]
    with torch.inference_mode():
        logits = network(image)[0][0]
        whole = logits.argmax(0).numpy().astype(np.uint8)
        for (row, col, height, width), (top, left, rows, cols) in tiles(
            *scene.shape, TILE_PX, network.halo_px
        ):
            part = network(image[:, :, top : top + rows, left : left + cols])[0][0]
            part = part[:, row - top : row - top + height, col - left : col - left + width]
            difference = (part - logits[:, row : row + height, col : col + width]).abs().max()
            assert difference < 1e-3, f"tile at {row}, {col} differs by {difference}"
    margin = logits.topk(2, dim=0).values
    print(f"smallest logit margin {(margin[0] - margin[1]).min():.2e}")
    whole[scene.mask] = NODATA_CLASS
    return whole


def accuracy(truth, prediction, class_names):
    """Scores from one confusion matrix; a class absent from truth and prediction is None."""
    n_classes = len(class_names)
    known = truth != IGNORE
    matrix = np.zeros((n_classes, n_classes), int)
    np.add.at(matrix, (truth[known], prediction[known]), 1)
    hits = np.diag(matrix)
    union = matrix.sum(0) + matrix.sum(1) - hits
    total = matrix.sum()
    chance = (matrix.sum(0) * matrix.sum(1)).sum() / total**2
    iou = [round(float(hit / size), 4) if size else None for hit, size in zip(hits, union)]
    return {
        "pixels": int(total),
        "overall": round(float(hits.sum() / total), 4),
        "kappa": round(float((hits.sum() / total - chance) / (1 - chance + 1e-8)), 4),
        "mean_iou": round(float(np.mean([value for value in iou if value is not None])), 4),
        "iou": dict(zip(class_names, iou)),
        "confusion": matrix.tolist(),
    }


def model_record(scene, network, spectra, scores, arguments):
    # 0 stays free for "unlabelled", as in the polygons.
    class_ids = [index + 1 for index in range(len(scene.class_names))]
    return {
        "format": "nunatak-model",
        "version": 1,
        "network": {
            "kind": "ssmgnet",
            "bands": len(scene.band_names),
            "classes": len(class_ids),
            "width": 16,
            "kernel": 3,
            "dilation": 1,
            "attention_kernel": 9,
        },
        "bands": [
            {"name": name, "wavelength_nm": wavelength_nm}
            for name, wavelength_nm in zip(scene.band_names, scene.wavelengths_nm)
        ],
        "normalisation": {
            "kind": "scale_offset",
            "scale": [SCALE] * len(scene.band_names),
            "offset": [0.0] * len(scene.band_names),
        },
        "classes": [
            {"id": class_id, "name": name, "color": color}
            for class_id, name, color in zip(class_ids, scene.class_names, COLORS)
        ],
        "nodata": {"rule": "mask_any"},
        "tile": {"size": TILE_PX, "halo": network.halo_px},
        "references": {
            "scale": "normalised",
            "names": scene.class_names,
            "spectra": [[round(float(value), 6) for value in row] for row in spectra],
            "class_ids": class_ids,
            "colors": COLORS,
        },
        "origin": {
            "source": "scripts/train_sample_model.py on patrickcgray/open-geo-tutorial"
            " (Copernicus Sentinel-2B L1C, 2018-10-13, display values)",
            "licence": "CC BY-SA 3.0",
            "trained_on": f"train polygons of landcover.gpkg, {arguments.epochs} epochs of"
            f" {arguments.steps} steps, batch {arguments.batch}, windows"
            f" {arguments.window} px, seed {arguments.seed}",
            "accuracy": scores,
        },
    }


def write_references(path, scene, spectra):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "class_id", "color", "weight", *scene.band_names])
        for index, row in enumerate(spectra):
            values = [f"{value:.6f}" for value in row]
            writer.writerow([scene.class_names[index], index + 1, COLORS[index], 1, *values])


def write_class_map(path, scene, classes):
    profile = {
        "driver": "GTiff",
        "count": 1,
        "dtype": "uint8",
        "height": scene.shape[0],
        "width": scene.shape[1],
        "nodata": NODATA_CLASS,
        "compress": "deflate",
        **scene.profile,
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(np.where(classes == NODATA_CLASS, NODATA_CLASS, classes + 1).astype(np.uint8), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scene", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=15, help="per epoch")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--window", type=int, default=128, help="px")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(arguments.threads)
    os.makedirs(arguments.out, exist_ok=True)

    scene = Scene(arguments.scene, arguments.labels)
    # Rounded as they are stored, so that the app's prior is the one trained with.
    spectra = scene.mean_spectra().round(6)
    prior = Prior(spectra)
    prior_map, target = prior.classify(scene.image)
    print("thresholds", " ".join(f"{value:.4f}" for value in prior.thresholds))
    print(f"prior: {(prior_map > 0).mean():.1%} matched, mean similarity {target.mean():.4f}")

    network = SSMGNet(len(scene.band_names), len(scene.class_names))
    train(network, scene, target, arguments)
    classes = predict(network, scene)
    scores = {
        "held_out": accuracy(scene.held_out, classes, scene.class_names),
        "train": accuracy(scene.train, classes, scene.class_names),
    }
    print(json.dumps(scores, indent=1))

    record = model_record(scene, network, spectra, scores, arguments)
    state = {
        name: value.contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(
        state,
        os.path.join(arguments.out, "model.safetensors"),
        metadata={"nunatak": json.dumps(record, separators=(",", ":"))},
    )
    with open(os.path.join(arguments.out, "model.json"), "w", encoding="utf-8") as file:
        json.dump(record, file, indent=2)
        file.write("\n")
    write_references(os.path.join(arguments.out, "references.csv"), scene, spectra)
    write_class_map(os.path.join(arguments.out, "expected_class.tif"), scene, classes)


if __name__ == "__main__":
    main()
