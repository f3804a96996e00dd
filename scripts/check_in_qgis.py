"""Opens Nunatak's outputs in QGIS, without a window, and says what QGIS makes of them.

    QT_QPA_PLATFORM=offscreen python3 scripts/check_in_qgis.py --nunatak PROGRAM --work FOLDER

Predicts the sample scene with a class name outside of ASCII, writes class GeoTIFF, COG,
shapefile, GeoPackage and GeoJSON to FOLDER, and compares in QGIS: validity, CRS, extent,
class names, colours, fields, encoding, areas.  Prints one line per file; exit code 1 if
something is wrong.

Needs QGIS's own Python: on Debian the packages qgis and python3-qgis, run with
/usr/bin/python3.
"""

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsVectorLayer,
)

SAMPLE = Path(__file__).resolve().parents[1] / "sample_scenes" / "rachel_carson"
RENAMED = ("Emergent wetland", "Gehölz, naß – Süd")


def with_renamed_class(source, target):
    """Copies a safetensors file whose record calls a class by another name."""
    data = source.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = data[8 : 8 + length].decode().replace(*RENAMED).encode()
    header += b" " * (-len(header) % 8)
    target.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length :])


def make_outputs(program, work):
    model = work / "model.safetensors"
    with_renamed_class(SAMPLE / "model.safetensors", model)

    def nunatak(*arguments):
        command = [program, *map(str, arguments), "--overwrite", "--quiet"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")

    nunatak(
        "predict", model, SAMPLE / "scene.tif", work / "class.tif", "--device", "cpu", "--entropy", work / "entropy.tif"
    )
    nunatak("convert", work / "class.tif", work / "cog.tif", "--cog")
    # Without the style beside it, palette and names must come from the file itself.
    shutil.copy(work / "class.tif", work / "bare.tif")
    aux = work / "class.tif.aux.xml"
    if aux.exists():
        shutil.copy(aux, work / "bare.tif.aux.xml")
    for name in ["polygons.shp", "polygons.gpkg", "polygons.geojson"]:
        nunatak("polygonize", work / "class.tif", work / name)
    record = json.loads((SAMPLE / "model.json").read_text())
    return {entry["id"]: (entry["name"].replace(*RENAMED), entry["color"]) for entry in record["classes"]}


class Report:
    def __init__(self):
        self.n_wrong = 0

    def check(self, name, facts, expectations):
        wrong = [f"{what}: {found!r} for {wanted!r}" for what, found, wanted in expectations if found != wanted]
        self.n_wrong += len(wrong)
        print(f"{'wrong' if wrong else 'ok':6} {name:17} {facts}", flush=True)
        for line in wrong:
            print(f"       {line}")


def rounded(extent):
    return [round(v, 3) for v in (extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum())]


def check_raster(report, path, scene, classes):
    layer = QgsRasterLayer(str(path), path.stem)
    if not layer.isValid():
        return report.check(path.name, layer.error().summary(), [("valid", False, True)])
    renderer = layer.renderer()
    expectations = [
        ("CRS", layer.crs().authid(), scene.crs().authid()),
        ("extent", rounded(layer.extent()), rounded(scene.extent())),
        ("nodata of band 1", layer.dataProvider().sourceHasNoDataValue(1), True),
    ]
    if classes is not None:
        expectations.append(("renderer", renderer.type(), "paletted"))
        if isinstance(renderer, QgsPalettedRasterRenderer):
            shown = {int(entry.value): (entry.label, entry.color.name()) for entry in renderer.classes()}
            expectations += [(f"class {value}", shown.get(value), wanted) for value, wanted in classes.items()]
    report.check(path.name, f"{layer.crs().authid()}, {renderer.type()} renderer", expectations)


def check_vector(report, path, scene, classes, n_px):
    layer = QgsVectorLayer(str(path), path.stem, "ogr")
    if not layer.isValid():
        return report.check(path.name, layer.error().summary(), [("valid", False, True)])
    labels, area, n_broken = {}, 0.0, 0
    for feature in layer.getFeatures():
        labels[feature["class_id"]] = feature["label"]
        area += feature["area"]
        n_broken += not feature.geometry().isGeosValid()
    # GeoJSON is always in longitude and latitude.
    to_layer = QgsCoordinateTransform(scene.crs(), layer.crs(), QgsCoordinateTransformContext())
    wanted, found = to_layer.transformBoundingBox(scene.extent()), layer.extent()
    in_place = wanted.buffered(0.01 * wanted.width()).contains(found) and found.width() > 0.98 * wanted.width()
    crs = "EPSG:4326" if path.suffix == ".geojson" else scene.crs().authid()
    expectations = [
        ("CRS", layer.crs().authid().replace("OGC:CRS84", "EPSG:4326"), crs),
        ("in its place", in_place, True),
        ("labels", {value: labels[value] for value in sorted(labels)}, {v: classes[v][0] for v in sorted(labels)}),
        ("classes found", sorted(labels), sorted(classes)),
        ("invalid polygons", n_broken, 0),
        ("area in pixels of 100 m²", round(area / 100), n_px),
    ]
    encoding = layer.dataProvider().encoding()
    if path.suffix == ".shp":
        expectations.append(("encoding", encoding, "UTF-8"))
    fields = ", ".join(field.name() for field in layer.fields())
    facts = f"{layer.crs().authid()}, {layer.featureCount()} polygons, {encoding}, fields {fields}"
    report.check(path.name, facts, expectations)


def class_pixels(path, values):
    layer = QgsRasterLayer(str(path), path.stem)
    provider = layer.dataProvider()
    block = provider.block(1, layer.extent(), layer.width(), layer.height())
    return sum(
        not block.isNoData(row, col) and block.value(row, col) in values
        for row in range(layer.height())
        for col in range(layer.width())
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nunatak", required=True, help="the program")
    parser.add_argument("--work", required=True, type=Path, help="folder for the outputs")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    classes = make_outputs(arguments.nunatak, arguments.work)

    application = QgsApplication([], False)
    application.initQgis()
    print(f"QGIS {Qgis.QGIS_VERSION}")
    scene = QgsRasterLayer(str(SAMPLE / "scene.tif"), "scene")
    report = Report()
    for name in ["class.tif", "bare.tif", "cog.tif"]:
        check_raster(report, arguments.work / name, scene, classes)
    check_raster(report, arguments.work / "entropy.tif", scene, None)
    n_px = class_pixels(arguments.work / "class.tif", set(classes))
    for name in ["polygons.shp", "polygons.gpkg", "polygons.geojson"]:
        check_vector(report, arguments.work / name, scene, classes, n_px)
    del scene
    application.exitQgis()
    sys.exit(1 if report.n_wrong else 0)


if __name__ == "__main__":
    main()
