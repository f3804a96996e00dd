"""Peer of benches/painting.rs: the same gestures on a napari Labels layer, without a window.

    python benches/peers/painting.py [--side 10000 20000]

uint16 labels in a numpy array of the whole scene, as napari users have them; each gesture is
what napari's own tool calls (paint, paint_polygon, fill, undo), screen refresh left out.
napari keeps 100 steps of undo, and only in memory.  Needs numpy and napari 0.9.
"""

import argparse
import math
import statistics
import time

import napari
import numpy as np
from napari.layers import Labels

N_STAMPS = 10
N_STROKES = 1000


class Random:
    """Numerical Recipes' generator, in [0, 1), as in painting.rs."""

    def __init__(self, state):
        self.state = state

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) / 2**24

    def place(self, side):
        return self.next() * side, self.next() * side


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(what, times):
    median, longest = statistics.median(times) * 1e3, max(times) * 1e3
    print(f"  {what:<46} median {median:9.3f} ms  longest {longest:9.3f} ms", flush=True)


def resident_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def empty(side):
    return Labels(np.zeros((side, side), np.uint16))


def stamps(side):
    layer = empty(side)
    layer.brush_size = 1001
    random = Random(1)
    fresh, undos = [], []
    for _ in range(N_STAMPS):
        col, row = random.place(side)
        fresh.append(timed(lambda at=(row, col): layer.paint(at, 1, refresh=False)))
        undos.append(timed(layer.undo))
    show("stamp 1001 px on an empty layer", fresh)
    show("undo of the stroke", undos)


def shapes_and_fills(side):
    random = Random(2)
    for n in (8, 5000):
        layer = empty(side)
        ring = []
        for i in range(n):
            angle, radius = i / n * math.tau, side * (0.4 + 0.1 * random.next())
            ring.append((side / 2 + radius * math.sin(angle), side / 2 + radius * math.cos(angle)))
        took = timed(lambda layer=layer, ring=ring: layer.paint_polygon(ring, 1))
        show(f"polygon of {n} vertices over the scene", [took])
        show("undo of the polygon", [timed(layer.undo)])
    layer = empty(side)
    layer.contiguous = True
    show("flood fill of the empty scene", [timed(lambda: layer.fill((side // 2, side // 2), 2, refresh=False))])
    show("undo of the fill", [timed(layer.undo)])
    for _ in range(1000):
        col, row = (int(at) for at in random.place(side))
        layer.data[row : row + 99, col : col + 99] = 3
    layer.data[side // 2, side // 2] = 0
    show("flood fill around 1000 squares", [timed(lambda: layer.fill((side // 2, side // 2), 2, refresh=False))])
    show("undo of the fill", [timed(layer.undo)])


def strokes(side):
    layer = empty(side)
    layer.brush_size = 101
    random = Random(3)
    moves, undos = [], []
    before = resident_bytes()
    for i in range(N_STROKES):
        col, row = random.place(side)
        with layer.block_history():
            for _ in range(20):
                old = (row, col)
                col, row = col + (random.next() - 0.3) * 60, row + (random.next() - 0.5) * 60
                # As napari's tool interpolates between two positions: every quarter of the brush.
                n = max(1, math.ceil(math.dist(old, (row, col)) / (101 / 4)))

                def move(old=old, new=(row, col), n=n, label=i % 7 + 1):
                    for t in range(1, n + 1):
                        at = (old[0] + (new[0] - old[0]) * t / n, old[1] + (new[1] - old[1]) * t / n)
                        layer.paint(at, label, refresh=False)

                moves.append(timed(move))
    show("move of a 101 px brush", moves)
    grown = (resident_bytes() - before) / 2**20
    array = layer.data.nbytes / 2**20
    print(f"  {N_STROKES} strokes of 101 x 600 px: array {array:.0f} MiB, process grew by {grown:.0f} MiB")
    n = len(layer._undo_history)
    for _ in range(n):
        undos.append(timed(layer.undo))
    show(f"undo of the last {n} strokes", undos)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, nargs="+", default=[10_000, 20_000])
    arguments = parser.parse_args()
    print(f"napari {napari.__version__}")
    for side in arguments.side:
        print(f"scene {side} x {side}")
        stamps(side)
        shapes_and_fills(side)
        strokes(side)


if __name__ == "__main__":
    main()
