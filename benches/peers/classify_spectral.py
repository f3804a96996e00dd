"""Peer: classification of pixels in memory by the Python package `spectral`.

    python benches/peers/classify_spectral.py [--side 1024] [--repeats 5] [--threads 2]

The same pixels, references and training classes as `benches/classify.rs` computes from the
same formula.  Spectral angle: `spectral_angles` and the smallest one.  Maximum likelihood:
`GaussianClassifier` on a `TrainingClassSet` of equal probabilities; training is before the
clock starts.  Prints one JSON line per method.  Needs: numpy, spectral 0.25.
"""

import argparse
import json
import os
import statistics
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=1024, help="px")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of numpy's linear algebra")
    arguments = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(arguments.threads)

    import numpy as np
    import spectral

    spectral.settings.show_progress = False
    n_bands, n_classes, side = 10, 10, arguments.side

    def value(i):
        # As in the bench: SplitMix64, its first 24 bits as a share.
        x = i.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((x ^ (x >> np.uint64(31))) >> np.uint64(40)) / float(1 << 24)

    pixels = value(np.arange(n_bands * side * side)).astype(np.float32)
    image = np.ascontiguousarray(np.moveaxis(pixels.reshape(n_bands, side, side), 0, -1))
    references = value(np.arange(n_classes * n_bands) + 7).reshape(n_classes, n_bands)

    def angle():
        return spectral.spectral_angles(image, references).argmin(axis=-1)

    # Row r of the image trains class r mod 10.
    truth = np.repeat((np.arange(side) % n_classes + 1)[:, None], side, axis=1)
    truth[64:] = 0
    training = spectral.create_training_classes(image.astype(np.float64), truth, calc_stats=True)
    for one in training:
        one.class_prob = 1.0 / n_classes
    classifier = spectral.GaussianClassifier(training)

    def likelihood():
        return classifier.classify_image(image)

    for name, run in (("sam", angle), ("max-likelihood", likelihood)):
        times = []
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            labels = run()
            times.append(time.perf_counter() - start)
        mpx = side * side / 1e6
        counts = np.bincount(np.asarray(labels).ravel().astype(int))
        report = {
            "peer": "spectral " + spectral.__version__,
            "method": name,
            "s_per_mpx_min": round(min(times) / mpx, 4),
            "s_per_mpx_median": round(statistics.median(times) / mpx, 4),
            "class_counts": counts.tolist(),
        }
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
