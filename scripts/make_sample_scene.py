"""Makes sample_scenes/rachel_carson: scene.tif and landcover.gpkg.

    python scripts/make_sample_scene.py --raster s2_20181013_8band_uint8.tif \
        --labels rcr_landcover.shp --out sample_scenes/rachel_carson

Raster: eight Sentinel-2 bands of one window, uint8 display values, any CRS.  Labels: the
landcover polygons that belong to it, with the fields `Classname` and `Classvalue`.  Both
come from patrickcgray/open-geo-tutorial (see sample_scenes/README.md).

The raster is reprojected (bilinear) to UTM 18N at 10 m and cropped to the largest upright
rectangle without gaps, so the scene needs no nodata value.  Polygons keep their geometry.

Needs: numpy, rasterio, geopandas with pyogrio.
"""

import argparse
import os

import geopandas
import numpy as np
import pyogrio
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import Affine
from rasterio.warp import aligned_target, calculate_default_transform, reproject

CRS = "EPSG:32618"
PIXEL_M = 10.0

# name, centre wavelength and bandwidth in nm of MSI on Sentinel-2B (the source files are
# named "2018-10-13, Sentinel-2B L1C"), colour interpretation
BANDS = [
    ("B01 coastal aerosol", 442.2, 20.0, ColorInterp.undefined),
    ("B02 blue", 492.3, 65.0, ColorInterp.blue),
    ("B03 green", 558.9, 35.0, ColorInterp.green),
    ("B04 red", 664.9, 31.0, ColorInterp.red),
    ("B05 red edge 1", 703.8, 15.0, ColorInterp.undefined),
    ("B06 red edge 2", 739.1, 13.0, ColorInterp.undefined),
    ("B07 red edge 3", 779.7, 19.0, ColorInterp.undefined),
    ("B08 NIR", 832.9, 104.0, ColorInterp.undefined),
]

# class index of the network -> (source value, name)
CLASSES = [
    (2100, "Subtidal haline"),
    (2260, "Emergent wetland"),
    (2360, "Forested wetland"),
    (6201, "Herbaceous"),
    (22531, "Wet sand"),
    (2253, "Sand"),
]


def reproject_to_utm(path):
    """Returns values [band, row, col], the mask of covered pixels and the geotransform."""
    with rasterio.open(path) as source:
        transform, width, height = calculate_default_transform(
            source.crs, CRS, source.width, source.height, *source.bounds, resolution=PIXEL_M
        )
        transform, width, height = aligned_target(transform, width, height, PIXEL_M)
        target = {"dst_transform": transform, "dst_crs": CRS}
        values = np.zeros((source.count, height, width), np.uint8)
        reproject(
            rasterio.band(source, list(range(1, source.count + 1))),
            values,
            resampling=Resampling.bilinear,
            **target,
        )
        # Coverage is warped apart from the values: 0 may be a measurement.
        covered = np.zeros((height, width), np.uint8)
        reproject(
            np.ones((source.height, source.width), np.uint8),
            covered,
            src_transform=source.transform,
            src_crs=source.crs,
            resampling=Resampling.nearest,
            **target,
        )
    return values, covered == 1, transform


def largest_rectangle(mask):
    """Largest upright rectangle of True pixels: (row, col, height, width)."""
    best, best_area = (0, 0, 0, 0), 0
    heights = np.zeros(mask.shape[1], int)
    for row in range(mask.shape[0]):
        heights = np.where(mask[row], heights + 1, 0)
        stack = []  # (first column, height), heights rising
        for col, height in enumerate(np.append(heights, 0)):
            first = col
            while stack and stack[-1][1] >= height:
                first, top = stack.pop()
                if top * (col - first) > best_area:
                    best_area = top * (col - first)
                    best = (row - top + 1, first, top, col - first)
            stack.append((first, height))
    return best


def write_scene(path, values, transform):
    """Writes the scene with band names, wavelengths and internal overviews."""
    profile = {
        "driver": "GTiff",
        "count": values.shape[0],
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": "uint8",
        "crs": CRS,
        "transform": transform,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "zlevel": 9,
        "predictor": 2,
        "interleave": "pixel",
    }
    with rasterio.open(path, "w", **profile) as scene:
        scene.write(values)
        scene.colorinterp = [band[3] for band in BANDS]
        # The references and the network use value / 255.
        scene.scales = [1 / 255] * len(BANDS)
        scene.update_tags(
            TIFFTAG_IMAGEDESCRIPTION="Sentinel-2B L1C, 2018-10-13, Rachel Carson Reserve;"
            " bands B01-B08, display values 0-255, not reflectance",
            TIFFTAG_COPYRIGHT="Contains modified Copernicus Sentinel data 2018;"
            " CC BY-SA 3.0, patrickcgray/open-geo-tutorial",
        )
        for band, (name, centre_nm, width_nm, _) in enumerate(BANDS, 1):
            scene.set_band_description(band, name)
            scene.update_tags(band, wavelength=f"{centre_nm:.1f}", wavelength_units="Nanometers")
            scene.update_tags(
                band,
                ns="IMAGERY",
                CENTRAL_WAVELENGTH_UM=f"{centre_nm / 1000:.4f}",
                FWHM_UM=f"{width_nm / 1000:.4f}",
            )
    with rasterio.open(path, "r+") as scene:
        scene.build_overviews([2, 4], Resampling.average)


def write_labels(source_path, path):
    """Writes the polygons with class, label and the split by whole polygon.

    Split: within a class, polygons by falling area; the second, fifth, eighth ... are held
    out.  A class with one polygon has none.
    """
    labels = geopandas.read_file(source_path).to_crs(CRS)
    class_of_value = {value: index for index, (value, _) in enumerate(CLASSES)}
    labels["network_class"] = labels["Classvalue"].map(class_of_value).astype("int32")
    labels["class_id"] = labels["network_class"] + 1  # 0 is "unlabelled" in a label raster
    labels["label"] = [CLASSES[index][1] for index in labels["network_class"]]
    labels["source_value"] = labels["Classvalue"].astype("int32")
    rank = labels.geometry.area.groupby(labels["class_id"]).rank(ascending=False, method="first")
    labels["split"] = np.where(rank % 3 == 2, "held_out", "train")
    labels = labels[["class_id", "label", "network_class", "source_value", "split", "geometry"]]
    if os.path.exists(path):
        os.remove(path)
    # GeoPackage 1.2 opens without a warning in every GDAL 3; a fixed date keeps the file's
    # bytes the same from run to run.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2018-10-13T00:00:00.000Z"})
    labels.to_file(path, layer="landcover", driver="GPKG", dataset_options={"VERSION": "1.2"})
    return labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--raster", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()

    os.makedirs(arguments.out, exist_ok=True)
    values, covered, transform = reproject_to_utm(arguments.raster)
    row, col, height, width = largest_rectangle(covered)
    values = values[:, row : row + height, col : col + width]
    transform = transform @ Affine.translation(col, row)
    write_scene(os.path.join(arguments.out, "scene.tif"), values, transform)
    labels = write_labels(arguments.labels, os.path.join(arguments.out, "landcover.gpkg"))

    print(f"scene: {width} x {height}, upper left {transform.c:.0f} {transform.f:.0f}")
    print(labels.groupby(["class_id", "label", "split"]).size().to_string())


if __name__ == "__main__":
    main()
