"""Small weight files for the loader's tests, into tests/fixtures/weights/.

    python scripts/make_weight_fixtures.py [OUT_DIR]

All hold the same SSMGNet (2 bands, 3 classes, width 2), each in another wrapping, format or
element type, or broken in one way.  Values are made from the tensors' names by the rule of the
parity tests, so the tests know them without these files.

Needs: torch, numpy, safetensors.
"""

import math
import os
import pickle
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import torch

BANDS, CLASSES, WIDTH = 2, 3, 2
MASK = (1 << 64) - 1


def uniform(name, count):
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = ((key ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(key) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / float(1 << 24)


def weight(name, shape):
    count = math.prod(shape)
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    u = uniform(name, count)
    v = 2 * u - 1
    if name.endswith("running_var"):
        w = 0.5 + u
    elif name.endswith("running_mean"):
        w = 0.2 * v
    elif len(shape) >= 2:
        w = v * np.sqrt(3.0 / math.prod(shape[1:]))
    elif name.endswith("weight"):
        w = 0.6 + 0.4 * u
    else:
        w = 0.1 * v
    return torch.from_numpy(w.astype(np.float32).reshape(shape))


def state_dict():
    state = OrderedDict()
    channels = [BANDS, WIDTH, 2 * WIDTH, 4 * WIDTH, 4 * WIDTH]
    for index in range(4):
        before, after = channels[index], channels[index + 1]
        part = f"stage{index + 1}"
        shapes = {
            f"{part}.0.weight": (after, before, 3, 3),
            f"{part}.1.weight": (after,),
            f"{part}.1.bias": (after,),
            f"{part}.1.running_mean": (after,),
            f"{part}.1.running_var": (after,),
            f"{part}.1.num_batches_tracked": (),
        }
        state.update({name: weight(name, shape) for name, shape in shapes.items()})
    for name, shape in {
        "sa_module4.conv.weight": (1, 2, 9, 9),
        "final.weight": (CLASSES, 4 * WIDTH, 1, 1),
        "final.bias": (CLASSES,),
    }.items():
        state[name] = weight(name, shape)
    return state


def changed(state, **changes):
    copy = OrderedDict(state)
    copy.update(changes.pop("with_", {}))
    for name in changes.pop("without", []):
        del copy[name]
    return copy


class Call:
    """Pickles as a call of `function(*args)`."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


class Stage(torch.nn.Sequential):
    def __init__(self, before, after):
        super().__init__(
            torch.nn.Conv2d(before, after, 3, padding=1, bias=False), torch.nn.BatchNorm2d(after), torch.nn.ReLU()
        )


class Gate(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 1, 9, padding=4, bias=False)


class SegModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        channels = [BANDS, WIDTH, 2 * WIDTH, 4 * WIDTH, 4 * WIDTH]
        for index in range(4):
            setattr(self, f"stage{index + 1}", Stage(channels[index], channels[index + 1]))
        self.sa_module4 = Gate()
        self.final = torch.nn.Conv2d(4 * WIDTH, CLASSES, 1)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "tests", "fixtures", "weights")
    os.makedirs(out, exist_ok=True)

    def path(name):
        return os.path.join(out, name)

    state = state_dict()
    torch.save(state, path("zip.pth"))
    torch.save(state, path("legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 8, "state_dict": state, "optimizer": {"state": {0: torch.zeros(3)}, "lr": 5e-3}}, path("wrapped.pth"))
    torch.save({"model": {f"module.{name}": value for name, value in state.items()}}, path("wrapped_module.pth"))
    torch.save({f"module.{name}": value for name, value in state.items()}, path("module.pth"))
    for dtype, name in [(torch.float16, "float16"), (torch.float64, "float64"), (torch.bfloat16, "bfloat16")]:
        torch.save({k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}, path(f"{name}.pth"))

    strided = {k: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in state.items()}
    stacked = torch.stack([state["final.bias"], state["final.bias"] + 1], 1)
    strided["final.bias"] = stacked[:, 0]
    torch.save(strided, path("strided.pth"))

    torch.save(changed(state, without=["final.bias", "stage2.1.running_var"]), path("missing.pth"))
    torch.save(changed(state, with_={"aux.weight": torch.zeros(2), "aux.bias": torch.zeros(2)}), path("unused.pth"))
    torch.save(changed(state, with_={"stage3.0.weight": torch.zeros(8, 5, 3, 3)}), path("misshapen.pth"))
    torch.save(changed(state, with_={"best": np.float64(0.9), "when": Call(complex, 1.0, 2.0)}), path("foreign.pth"))
    torch.save({"weights": [1, 2, 3], "names": ["a"]}, path("no_tensors.pth"))
    torch.save(torch.zeros(3), path("single_tensor.pth"))
    torch.save({"encoder.weight": torch.zeros(2, 2)}, path("other_network.pth"))

    model = SegModel()
    model.load_state_dict(state)
    torch.save(model, path("whole_module.pth"))

    marker = "nunatak-was-here"
    with open(path("malicious.pth"), "wb") as file:
        pickle.dump({"state_dict": {}, "x": Call(os.system, f"touch {marker}")}, file, protocol=2)
    torch.save({**state, "hook": Call(eval, f"open('{marker}', 'w')")}, path("malicious_zip.pth"))
    with open(path("malicious_root.pth"), "wb") as file:
        pickle.dump(Call(os.system, f"touch {marker}"), file, protocol=2)

    for name, call in {
        "malicious_dropped.pth": b"cposix\nsystem\n(X\x04\x00\x00\x00truetR0",
        "malicious_stack.pth": b"\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c\x04true\x85R0",
    }.items():
        with zipfile.ZipFile(path("zip.pth")) as source, zipfile.ZipFile(path(name), "w", zipfile.ZIP_STORED) as target:
            for info in source.infolist():
                data = source.read(info.filename)
                if info.filename.endswith("data.pkl"):
                    data = data[:2] + call + data[2:]
                target.writestr(info.filename, data)

    whole = open(path("zip.pth"), "rb").read()
    open(path("truncated.pth"), "wb").write(whole[: len(whole) // 2])
    whole = open(path("legacy.pth"), "rb").read()
    open(path("truncated_legacy.pth"), "wb").write(whole[: len(whole) * 3 // 4])

    small = torch.zeros(1).expand(1 << 15, 1 << 15)
    torch.save({"stage1.0.weight": small}, path("huge_view.pth"))
    with open(path("deep.pth"), "wb") as file:
        file.write(b"\x80\x02" + b"]" * 20000 + b"a" * 19999 + b".")
    with zipfile.ZipFile(path("big_endian.pth"), "w", zipfile.ZIP_STORED) as target:
        with zipfile.ZipFile(path("zip.pth")) as source:
            for info in source.infolist():
                data = b"big" if info.filename.endswith("byteorder") else source.read(info.filename)
                target.writestr(info.filename, data)
    open(path("text.pth"), "w").write("<!DOCTYPE html><html>not found</html>\n")
    open(path("empty.pth"), "wb").close()

    from safetensors.torch import save_file

    save_file(dict(state), path("plain.safetensors"))
    whole = open(path("plain.safetensors"), "rb").read()
    open(path("truncated.safetensors"), "wb").write(whole[: len(whole) - 100])
    open(path("absurd_header.safetensors"), "wb").write((1 << 60).to_bytes(8, "little") + b"{}")


if __name__ == "__main__":
    main()
