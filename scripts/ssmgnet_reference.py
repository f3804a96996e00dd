"""SSMGNet and the SF-CNM prior in Python: what the training script and the peers share.

The network has the state-dict names of Lecheng-Wang/SSMGNet, so its checkpoints load.  The
prior is the closed form (one product Wp a pixel), in NumPy.  Written from the description
of the method; Wang et al., "Identification of Spectrally Similar Materials From
Multispectral Imagery Based on Condition Number of Matrix", IEEE JSTARS 2025,
doi 10.1109/JSTARS.2025.3532816.

Needs: numpy, torch; safetensors for `.safetensors` files.
"""

import json

import numpy as np
import torch
from torch import nn

NODATA_CLASS = 255


class AttentionGate(nn.Module):
    """Max and mean over channels -> convolution -> sigmoid: [B, 1, H, W] in (0, 1)."""

    def __init__(self, kernel):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, feature):
        pooled = torch.cat([feature.amax(1, keepdim=True), feature.mean(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv(pooled))


class SSMGNet(nn.Module):
    """Full-resolution network: four 3x3 stages, one attention gate, a 1x1 classifier."""

    def __init__(self, bands, classes, width=16, kernel=3, dilation=1, attention_kernel=9):
        super().__init__()
        padding = dilation * (kernel - 1) // 2
        channels = [bands, width, width * 2, width * 4, width * 4]
        for index in range(4):
            stage = nn.Sequential(
                nn.Conv2d(
                    channels[index],
                    channels[index + 1],
                    kernel,
                    padding=padding,
                    dilation=dilation,
                    bias=False,
                ),
                nn.BatchNorm2d(channels[index + 1]),
                nn.ReLU(),
            )
            setattr(self, f"stage{index + 1}", stage)
        self.sa_module4 = AttentionGate(attention_kernel)
        self.final = nn.Conv2d(width * 4, classes, 1)
        self.halo_px = 4 * dilation * (kernel - 1) // 2 + attention_kernel // 2
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image):
        """[B, C, H, W] -> logits [B, K, H, W], gated feature, attention [B, 1, H, W]."""
        feature = self.stage4(self.stage3(self.stage2(self.stage1(image))))
        attention = self.sa_module4(feature)
        feature = attention * feature
        return self.final(feature), feature, attention


def load_checkpoint(path):
    """Returns the state dict and the Nunatak record (None where the file has none).

    Reads `.safetensors` and PyTorch files; unwraps a `state_dict` entry and `module.` names.
    """
    record = None
    if str(path).endswith(".safetensors"):
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}
            text = (file.metadata() or {}).get("nunatak")
            record = json.loads(text) if text else None
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
    return {name.removeprefix("module."): value for name, value in state.items()}, record


def network_from_checkpoint(path):
    """Builds the network with the sizes read from its tensors, in eval mode.

    Returns the network, the scale and the offset per band (1 and 0 without a record).
    """
    state, record = load_checkpoint(path)
    width, bands, kernel, _ = state["stage1.0.weight"].shape
    network = SSMGNet(
        bands=bands,
        classes=state["final.weight"].shape[0],
        width=width,
        kernel=kernel,
        dilation=record["network"]["dilation"] if record else 1,
        attention_kernel=state["sa_module4.conv.weight"].shape[-1],
    )
    missing = network.load_state_dict(state, strict=False).missing_keys
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"checkpoint lacks {', '.join(missing)}: {path}")
    scale, offset = np.ones(bands, np.float32), np.zeros(bands, np.float32)
    if record:
        scale = np.array(record["normalisation"]["scale"], np.float32)
        offset = np.array(record["normalisation"]["offset"], np.float32)
    return network.eval(), scale, offset


def normalise(values, mask, scale, offset):
    """values * scale + offset, and 0 where masked, as float32 [C, H, W]."""
    image = values.astype(np.float32) * scale[:, None, None] + offset[:, None, None]
    image[:, mask] = 0.0
    return image


def tiles(height, width, tile_px, halo_px):
    """Yields (row, col, height, width) of each tile and of its window with the halo.

    Windows are clipped at the scene's edge, where the network pads with zeros in every
    layer as it does for the whole scene; so tiled and whole results are the same.
    """
    for row in range(0, height, tile_px):
        for col in range(0, width, tile_px):
            tile = (row, col, min(tile_px, height - row), min(tile_px, width - col))
            top, left = max(row - halo_px, 0), max(col - halo_px, 0)
            bottom = min(row + tile[2] + halo_px, height)
            right = min(col + tile[3] + halo_px, width)
            yield tile, (top, left, bottom - top, right - left)


class Prior:
    """SF-CNM prior of a reference set.

    `spectra` is [R, C], on the scale of the pixels.  With N = max(C, R) and lambda = N + 1,
    M = A + lambda * E where A is [N, R] (one spectrum a column, zero rows if R > C) and E the
    first R columns of the identity; W is the (pseudo)inverse of M.  R = C is the original.
    """

    def __init__(self, spectra, dtype=np.float64):
        spectra = np.asarray(spectra, np.float64)
        n_references, n_bands = spectra.shape
        if n_references < 2:
            raise ValueError("a reference set needs at least two references")
        self.size = max(n_bands, n_references)
        self.n_bands = n_bands
        self.weight = float(self.size + 1)
        matrix = np.zeros((self.size, n_references))
        matrix[:n_bands] = spectra.T
        identity = np.eye(self.size, n_references)
        perturbed = (matrix + self.weight * identity).astype(dtype)
        square = self.size == n_references
        self.inverse = np.linalg.inv(perturbed) if square else np.linalg.pinv(perturbed)

        # T[i, j]: how far reference i is from candidate j; the nearest other one decides.
        response = self.inverse @ matrix.astype(dtype)  # [R, R], column i = W a_i
        shift = self.weight * self.inverse[:, :n_references]  # column j = lambda W e_j
        result = response.T[:, None, :] + shift.T[None, :, :]  # [i, j, k]
        own = np.einsum("ijj->ij", result)
        distance = np.abs(own - 1) + np.abs(result).sum(2) - np.abs(own)
        np.fill_diagonal(distance, np.inf)
        self.thresholds = distance.min(0).astype(dtype)
        self.shift = shift.astype(dtype)
        self.dtype = dtype

    def classify(self, image):
        """[C, H, W] -> class map (0 = none, else reference + 1) and similarity in [0, 1].

        Similarity is clamp(1 - d / threshold, 0, 1): it does not depend on the patch.
        """
        labels, distance, best = self.distances(image)
        similarity = np.clip(1 - distance / self.thresholds[best], 0, 1)
        return labels, similarity.astype(np.float32)

    def classify_patchwise(self, image):
        """As `classify`, with the original's min-max over the valid pixels of this patch."""
        labels, distance, _ = self.distances(image)
        similarity = np.zeros_like(distance, np.float32)
        valid = labels > 0
        if valid.any():
            low, high = distance[valid].min(), distance[valid].max()
            similarity[valid] = 1 - (distance[valid] - low) / (high - low + 1e-8)
        return labels, similarity

    def distances(self, image):
        """[C, H, W] -> class map, smallest distance, its reference."""
        n_bands, height, width = image.shape
        pixels = image.reshape(n_bands, -1).astype(self.dtype)
        base = self.inverse[:, :n_bands] @ pixels  # [R, P]
        distance = np.full(pixels.shape[1], np.inf, self.dtype)
        best = np.zeros(pixels.shape[1], np.int64)
        for candidate in range(base.shape[0]):
            output = np.abs(base + self.shift[:, candidate, None])
            peak = output.max(0)
            candidate_distance = output.sum(0) - peak + np.abs(peak - 1)
            closer = candidate_distance < distance
            distance[closer] = candidate_distance[closer]
            best[closer] = candidate
        labels = np.where(distance < self.thresholds[best], best + 1, 0).astype(np.uint8)
        shape = (height, width)
        return labels.reshape(shape), distance.reshape(shape), best.reshape(shape)


def read_references(path):
    """Reads reference spectra [R, C] and their names.

    Two layouts: Nunatak's, one reference a row after name, class_id, color, weight; and
    SSMGNet's, one band a row after its number, one reference a column.
    """
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(",") for line in file if line.strip()]
    if rows[0][0] == "band":
        spectra = np.array([row[1:] for row in rows[1:]], np.float64).T
        return spectra, rows[0][1:]
    spectra = np.array([row[4:] for row in rows[1:]], np.float64)
    return spectra, [row[0] for row in rows[1:]]
