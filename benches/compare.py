"""Nunatak beside its peers, in turn, in one run.

    python benches/compare.py --nunatak PROGRAM --work FOLDER \
        --model MODEL --scene SCENE.tif --references REFERENCES.csv

Makes a 1024 x 1024 mosaic of the scene in FOLDER, then runs each pair A B A B … and prints a
table: seconds of the work itself as each side reports them, the median, and the ratio
peer / nunatak (above 1: Nunatak is faster).

- predict: the same network in PyTorch with the same exact halo (benches/peers/ssmgnet_torch.py)
- large image: the original's loop with stride 56 (benches/peers/original_loop.py)
- prior: the original's function (benches/peers/prior_original.py), per pixel

Reading windows and moving the map have Rust benches of their own: `read`, `pan_zoom`.
Needs: the peers' packages (numpy, torch, rasterio, safetensors).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIZE_PX = 1024


def last_json(command, environment):
    """Runs a command and returns the JSON object of its last line of output, and its wall time."""
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    text = done.stdout.strip()
    return json.loads(text if text.startswith("{\n") else text.splitlines()[-1]), wall


def seconds_of(answer):
    """Nunatak nests its facts; the peers print them flat."""
    return float(answer["seconds"] if "seconds" in answer else answer["facts"]["seconds"])


def pair(name, nunatak, peer, repeats, environment, unit=1.0):
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(seconds_of(last_json(nunatak, environment)[0]))
        theirs.append(seconds_of(last_json(peer, environment)[0]) * unit)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{name:14} nunatak {a:9.3f} s   peer {b:9.3f} s   ratio {b / a:7.2f}x", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nunatak", required=True, help="the program")
    parser.add_argument("--work", required=True, type=Path, help="folder for intermediate files")
    parser.add_argument("--model", required=True)
    parser.add_argument("--scene", required=True)
    parser.add_argument("--references", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["predict", "large", "prior"], nargs="+")
    arguments = parser.parse_args()
    wanted = arguments.only or ["predict", "large", "prior"]

    arguments.work.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
    mosaic, out = arguments.work / "mosaic.tif", arguments.work / "out.tif"
    script = HERE.parent / "scripts" / "make_big_raster.py"
    subprocess.run(
        [sys.executable, script, "--scene", arguments.scene, "--out", mosaic, "--size", str(SIZE_PX), str(SIZE_PX)],
        check=True, stdout=subprocess.DEVNULL,
    )

    threads = ["--threads", str(arguments.threads)]
    predict = [arguments.nunatak, "predict", arguments.model, mosaic, out, "--device", "cpu", "--overwrite", "--json"]

    def peer(name, *options):
        return [sys.executable, HERE / "peers" / name, "--raster", mosaic, *threads, *options]

    if "predict" in wanted:
        options = ["--model", arguments.model, "--out", arguments.work / "peer.tif"]
        pair("predict", predict, peer("ssmgnet_torch.py", *options), arguments.repeats, environment)
    if "large" in wanted:
        options = ["--model", arguments.model, "--out", arguments.work / "peer.tif"]
        pair("large image", predict, peer("original_loop.py", *options), 1, environment)
    if "prior" in wanted:
        prior = [arguments.nunatak, "prior", arguments.references, mosaic, out, "--overwrite", "--json"]
        options = ["--references", arguments.references]
        pair("prior", prior, peer("prior_original.py", *options), arguments.repeats, environment)


if __name__ == "__main__":
    main()
