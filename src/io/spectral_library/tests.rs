//! Libraries as instruments and archives write them. Expected values: numpy, the PyPI package
//! spectral, and plain reading of the texts.

use std::path::PathBuf;

use nunatak_domain::spectra::{LibrarySpectrum, MatchKind, Resampling, SpectralLibrary, TargetBand, resample};

use crate::atomic::{write_bytes, write_text};

use super::{read_spectral_library, read_target_bands, write_spectral_library};

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("NUNATAK_TEST_DATA")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?).join("../../../shared/data")))?;
    let folder = folder.join("spectral-libraries");
    if !folder.is_dir() {
        eprintln!("skipped: no {}", folder.display());
        return None;
    }
    Some(folder)
}

/// File, spectra, channels, first and last name, first and last wavelength, first and last value.
type Expected = (&'static str, usize, usize, [&'static str; 2], [f64; 2], [f64; 2]);

const SMALL: [&str; 2] = [
    "enmap.tif 383831.0110798964 5818355.065301555 EPSG:32633",
    "enmap.tif 383938.89043668396 5818443.2556502605 EPSG:32633",
];
const AB: [&str; 2] = ["spectrum_a", "spectrum_b"];
const AB_VALUES: [f64; 2] = [0.008958003153785005, 0.008909440053322537];

#[rustfmt::skip]
const READ: &[Expected] = &[
    ("envi-berlin/library_berlin.sli", 75, 177, ["red clay tile 1", "water 2"], [460.0, 2409.0], [589.9561196565628, 108.24301280081272]),
    ("envi-berlin/library_berlin.hdr", 75, 177, ["red clay tile 1", "water 2"], [460.0, 2409.0], [589.9561196565628, 108.24301280081272]),
    ("envi-small/speclib.sli", 7, 177, SMALL, [460.0, 2409.0], [372.0, 411.0]),
    ("envi-small/speclib.hdr", 7, 177, SMALL, [460.0, 2409.0], [372.0, 411.0]),
    ("envi-byteorder/a.sli", 2, 2, AB, [350.0, 351.0], AB_VALUES),
    ("envi-byteorder/b.sli", 2, 2, AB, [350.0, 351.0], AB_VALUES),
    ("envi-byteorder/c.sli", 2, 2, AB, [350.0, 351.0], AB_VALUES),
    ("envi-byteorder/d.sli", 2, 2, AB, [350.0, 351.0], AB_VALUES),
    ("envi-vegspec/vegSpec.sli", 2, 2151, ["veg_stressed", "veg_vital"], [350.0, 2500.0], [0.008958003153785005, f64::NAN]),
    ("sensor-response/Sentinel_2_Multi-Spectral_Instrument.sli", 13, 2301, ["Sentinel-2A - Band B1", "Sentinel-2A - Band B12"], [300.0, 2600.0], [0.0, 0.0]),
    ("sensor-response/Landsat_8_Operational_Land_Imager.sli", 8, 1941, ["Coastal aerosol", "Pan"], [420.0, 2360.0], [0.0, 0.0]),
    ("csv-parthenium/Parthenium_weed_library_Sentinel2a.csv", 149, 13, ["PH", "OPS"], [442.7, 2202.4], [1.98289720159078, 11.0788902415205]),
    ("ecosis-csv/excel_csv_example.csv", 6, 2151, ["BAPI_1_Old", "BAPI_3_Young"], [350.0, 2500.0], [0.029907192, 0.042990048]),
    ("artmo-txt/directional_reflectance.txt", 10, 2101, ["directional_reflectance 1", "directional_reflectance 10"], [400.0, 2500.0], [0.00780, 0.00701]),
    ("asd-txt/ribb00001.asd.txt", 1, 2151, ["ribb00001.asd"; 2], [350.0, 2500.0], [0.98379368955811, 1.96975630808344]),
    ("asd-txt/ribb00002.asd.txt", 1, 2151, ["ribb00002.asd"; 2], [350.0, 2500.0], [0.989333421480341, 2.04530561006646]),
    ("asd-txt/ribb00003.asd.txt", 1, 2151, ["ribb00003.asd"; 2], [350.0, 2500.0], [0.0116243300965796, -0.432429923003194]),
    ("asd-txt/ribb00004.asd.txt", 1, 2151, ["ribb00004.asd"; 2], [350.0, 2500.0], [0.0143127974129334, -0.340248249277011]),
    ("asd-txt/ribb00005.asd.txt", 1, 2151, ["ribb00005.asd"; 2], [350.0, 2500.0], [0.0147236643219058, 0.436038083564461]),
    ("ecostress-txt/soil.alfisol.fragiboralf.none.all.86p1994.jhu.becknic.spectrum.txt", 1, 2844, ["Pale brown silty loam"; 2], [14_011.2, 400.0], [1.6553, 0.7832]),
    ("ecostress-txt/soil.alfisol.haploxeralf.none.all.87p313.jhu.becknic.spectrum.txt", 1, 2844, ["Brown to dark brown gravelly loam"; 2], [14_011.2, 400.0], [1.5945, 0.1593]),
    ("svc-sig/250527_0942_R001_T002-de.sig", 1, 992, ["250527_0942_R001_T002"; 2], [338.5, 2513.2], [6.25, 0.0]),
    ("svc-sig/250527_0942_R001_T002-en.sig", 1, 992, ["250527_0942_R001_T002"; 2], [338.5, 2513.2], [6.25, 0.0]),
    ("spectral-evolution/darwin.sed", 1, 2151, ["darwin"; 2], [350.0, 2500.0], [3.8833, 1.4339]),
    ("geojson/speclib.geojson", 5, 224, ["speclib 1", "speclib 5"], [418.24, 2445.53], [0.03200000151991844, 0.0]),
    ("geojson/speclib_no_geometry.geojson", 1, 3, ["1"; 2], [10_000.0, 20_000.0], [1.0, 3.0]),
];

/// What holds no spectra, and what is said about it.
const REFUSED: &[(&str, &str)] = &[
    ("artmo-txt/directional_reflectance_meta.txt", "no known format"),
    ("artmo-txt/readme.txt", "there is nothing below the header"),
    ("ecostress-txt/Manifest.txt", "no known format"),
    ("ecostress-txt/soil.alfisol.fragiboralf.none.all.86p1994.jhu.becknic.ancillary.txt", "it describes a sample"),
    ("ecostress-txt/soil.alfisol.haploxeralf.none.all.87p313.jhu.becknic.ancillary.txt", "it describes a sample"),
    ("envi-berlin/library_berlin.csv", "no known format"),
    ("envi-berlin/library_berlin.json", "it holds neither endmembers nor features with profiles"),
    ("envi-small/envi", "a raster, not a spectral library"),
    ("envi-small/envi.hdr", "a raster, not a spectral library"),
    ("envi-small/envi.aux.xml", "this is XML"),
    ("envi-small/speclib.csv", "no known format"),
    ("envi-small/speclib.sli.aux.xml", "this is XML"),
    ("geojson/speclib.qml", "this is XML"),
    ("sensor-response/desis.csv", "band centres and widths"),
    ("sensor-response/emit.csv", "band centres and widths"),
    ("sensor-response/enmap.csv", "band centres and widths"),
    ("sensor-response/prisma.csv", "band centres and widths"),
    ("spectral-evolution/darwin.raw", "no format of spectra that is known here"),
];

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

#[test]
fn every_file_of_the_collection_reads_right_or_says_why_not() {
    let Some(folder) = data() else { return };
    let headers = ["a.sli.hdr", "b.sli.hdr", "c.sli.hdr", "d.sli.hdr"].map(|name| format!("envi-byteorder/{name}"));
    let inventory = std::fs::read_to_string(folder.join("inventory.csv")).unwrap();
    for file in inventory.lines().skip(1).filter_map(|line| line.split(',').next()) {
        let result = read_spectral_library(folder.join(file));
        if let Some((_, n, channels, names, wavelengths, values)) = READ.iter().find(|expected| expected.0 == file) {
            let library = result.unwrap();
            let (first, last) = (&library.spectra[0], &library.spectra[n - 1]);
            let nm = |spectrum: &LibrarySpectrum| spectrum.wavelength_nm.clone().unwrap();
            assert_eq!((library.spectra.len(), first.values.len()), (*n, *channels), "{file}");
            assert_eq!([first.name.as_str(), last.name.as_str()], *names, "{file}");
            assert_eq!([nm(first)[0], *nm(last).last().unwrap()], *wavelengths, "{file}");
            let found = [first.values[0], *last.values.last().unwrap()];
            assert!(same(found[0], values[0]) && same(found[1], values[1]), "{file}: {found:?}");
            assert!(library.spectra.iter().all(|s| nm(s).len() == s.values.len()), "{file}");
        } else if let Some((_, reason)) = REFUSED.iter().find(|refused| refused.0 == file) {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        } else {
            // Headers of libraries that are listed by their data file.
            let known = headers.iter().any(|header| header == file) || file.ends_with(".hdr");
            assert!(known && result.is_ok(), "{file} is in no list: {:?}", result.map(|library| library.spectra.len()));
        }
    }
}

#[test]
fn scales_are_kept_and_said() {
    let Some(folder) = data() else { return };
    let library = |file: &str| read_spectral_library(folder.join(file)).unwrap();
    let said = |library: &SpectralLibrary, part: &str| library.remarks.iter().any(|remark| remark.contains(part));

    let berlin = library("envi-berlin/library_berlin.sli");
    assert_eq!((berlin.spectra[0].factor, berlin.spectra[0].unit.as_str()), (Some(1e-4), "reflectance [*10000]"));
    let ecosis = library("ecosis-csv/excel_csv_example.csv");
    assert_eq!((ecosis.spectra[0].factor, ecosis.spectra[0].unit.as_str()), (None, "Percent"));
    assert!(
        said(&ecosis, "6 spectra are said to be in percent, but their values end below 1.5"),
        "{:?}",
        ecosis.remarks
    );
    let weed = library("csv-parthenium/Parthenium_weed_library_Sentinel2a.csv");
    assert!(said(&weed, "look like percent"), "{:?}", weed.remarks);
    let soil = library("ecostress-txt/soil.alfisol.fragiboralf.none.all.86p1994.jhu.becknic.spectrum.txt");
    assert_eq!((soil.spectra[0].factor, soil.spectra[0].unit.as_str()), (Some(0.01), "Reflectance (percent)"));
    assert_eq!(library("svc-sig/250527_0942_R001_T002-de.sig").spectra[0].factor, Some(0.01));
    assert_eq!(library("spectral-evolution/darwin.sed").spectra[0].unit, "Tgt./Ref. %");
    assert!(said(&library("geojson/speclib.geojson"), "`nullometers` is not known"));
}

#[test]
fn number_formats_of_both_languages_give_the_same_spectrum() {
    let Some(folder) = data() else { return };
    let read = |language: &str| {
        read_spectral_library(folder.join(format!("svc-sig/250527_0942_R001_T002-{language}.sig"))).unwrap()
    };
    let (german, english) = (read("de"), read("en"));

    assert_eq!(german.spectra[0].values, english.spectra[0].values);
    assert_eq!(german.spectra[0].wavelength_nm, english.spectra[0].wavelength_nm);
    assert_eq!(german.spectra[0].attributes["temp"], "25,6, -5,1, -9,9, 26,5, -5,1, -10,1");
}

#[test]
fn attributes_and_classes_come_from_the_files_beside() {
    let Some(folder) = data() else { return };

    let berlin = read_spectral_library(folder.join("envi-berlin/library_berlin.sli")).unwrap();
    let model = read_spectral_library(folder.join("artmo-txt/directional_reflectance.txt")).unwrap();

    assert_eq!(berlin.spectra[0].attributes["level_1"], "impervious");
    assert_eq!(berlin.spectra[0].class.as_deref(), Some("roof"));
    assert_eq!(model.spectra[0].attributes["Cab"], "32.34070");
    assert_eq!(model.spectra[0].attributes["vCover"], "0.98610");
}

#[test]
fn band_tables_are_what_spectra_can_be_brought_to() {
    let Some(folder) = data() else { return };

    let enmap = read_target_bands(folder.join("sensor-response/enmap.csv")).unwrap();

    assert_eq!(enmap.len(), 224);
    assert_eq!((enmap[0].wavelength_nm, enmap[0].fwhm_nm), (Some(418.24), Some(6.99561)));
}

#[test]
fn what_is_written_is_read_back() {
    let Some(folder) = data() else { return };
    let target = tempfile::tempdir().unwrap();
    for file in [
        "envi-berlin/library_berlin.sli",
        "csv-parthenium/Parthenium_weed_library_Sentinel2a.csv",
        "ecosis-csv/excel_csv_example.csv",
    ] {
        let library = read_spectral_library(folder.join(file)).unwrap();
        for out in ["a.sli", "a.csv"] {
            let path = target.path().join(out);
            write_spectral_library(&path, &library, None, true).unwrap();

            let back = read_spectral_library(&path).unwrap();

            assert_eq!(back.spectra.len(), library.spectra.len());
            for (a, b) in library.spectra.iter().zip(&back.spectra) {
                assert_eq!(
                    (&a.name, &a.wavelength_nm, &a.values, &a.class),
                    (&b.name, &b.wavelength_nm, &b.values, &b.class),
                    "{file} {out}"
                );
                assert_eq!((a.factor, &a.unit), (b.factor, &b.unit), "{file} {out}");
            }
        }
    }
}

#[test]
fn spectra_of_different_bands_are_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let spectra = vec![
        LibrarySpectrum::new("a", Some(vec![1000.0]), vec![0.1]),
        LibrarySpectrum::new("b", Some(vec![1001.0]), vec![0.1]),
    ];
    let library = SpectralLibrary { spectra, remarks: Vec::new() };

    let error = write_spectral_library(folder.path().join("a.csv"), &library, None, false).unwrap_err().to_string();

    assert!(error.contains("resample them to one set of bands first"), "{error}");
}

fn text_file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write_text(&path, text, true).unwrap();
    (folder, path)
}

#[test]
fn both_orientations_are_told_apart() {
    let (_a, rows) = text_file("rows.csv", "name;class;450,5;560\nice;snow;0,9;0,8\nrock;;0,1;\n");
    let (_b, columns) = text_file("columns.csv", "wavelength (um),ice,rock\n0.4505,0.9,0.1\n0.56,0.8,NA\n");

    let rows = read_spectral_library(rows).unwrap();
    let columns = read_spectral_library(columns).unwrap();

    assert_eq!(rows.spectra[0].class.as_deref(), Some("snow"));
    assert_eq!(rows.spectra[0].values, columns.spectra[0].values);
    assert_eq!(rows.spectra[1].wavelength_nm, columns.spectra[1].wavelength_nm);
    assert_eq!(columns.spectra[1].wavelength_nm, Some(vec![450.5, 560.0]));
    assert!(rows.spectra[1].values[1].is_nan() && columns.spectra[1].values[1].is_nan());
    assert_eq!(columns.spectra[1].name, "rock");
}

#[test]
fn big_endian_and_integer_libraries_are_read() {
    let header = |code: u8, order: u8| {
        format!(
            "ENVI\nsamples = 2\nlines = 2\nbands = 1\nheader offset = 4\nfile type = ENVI Spectral Library\ndata type = {code}\nbyte order = {order}\nreflectance scale factor = 1000\nwavelength units = Nanometers\nwavelength = {{ 500, 600 }}\nfwhm = {{10,\n 20}}\nspectra names = {{a, b}}\n"
        )
    };
    let values = [1_i16, -2, 300, 4];
    let bytes = |each: &dyn Fn(i16) -> Vec<u8>| {
        [9_u8; 4].into_iter().chain(values.iter().flat_map(|v| each(*v))).collect::<Vec<u8>>()
    };
    let cases: [(u8, u8, Vec<u8>); 6] = [
        (2, 0, bytes(&|v| v.to_le_bytes().to_vec())),
        (2, 1, bytes(&|v| v.to_be_bytes().to_vec())),
        (3, 1, bytes(&|v| i32::from(v).to_be_bytes().to_vec())),
        (4, 1, bytes(&|v| f32::from(v).to_be_bytes().to_vec())),
        (5, 1, bytes(&|v| f64::from(v).to_be_bytes().to_vec())),
        (14, 0, bytes(&|v| i64::from(v).to_le_bytes().to_vec())),
    ];
    for (code, order, bytes) in cases {
        let (folder, path) = text_file("l.hdr", &header(code, order));
        write_bytes(folder.path().join("l.sli"), &bytes, true).unwrap();

        let library = read_spectral_library(&path).unwrap();

        assert_eq!(library.spectra[0].values, [1.0, -2.0], "type {code} order {order}");
        assert_eq!(library.spectra[1].values, [300.0, 4.0], "type {code} order {order}");
        assert_eq!(library.spectra[1].fwhm_nm, Some(vec![10.0, 20.0]));
        assert_eq!(library.spectra[1].factor, Some(0.001));

        write_bytes(folder.path().join("l.sli"), &bytes[..bytes.len() - 1], true).unwrap();
        let error = read_spectral_library(&path).unwrap_err().to_string();
        assert!(error.contains("the data file is cut off"), "{error}");
    }
}

/// Made after the descriptions of the formats: no such file is in the collection.
#[test]
fn usgs_and_arcgis_files_are_read() {
    let (folder, path) =
        text_file("splib07a_Alunite.txt", " splib07a Record=170: Alunite GDS84 Na03\n -1.2300000e+034\n 0.25\n 0.5\n");
    write_text(
        folder.path().join("splib07a_Wavelengths_3_ch.txt"),
        " splib07a Record=1: Wavelengths\n 0.35\n 0.351\n 0.352\n",
        true,
    )
    .unwrap();
    let usgs = read_spectral_library(&path).unwrap();
    assert_eq!(usgs.spectra[0].name, "Alunite GDS84 Na03");
    assert_eq!(usgs.spectra[0].wavelength_nm, Some(vec![350.0, 351.0, 352.0]));
    assert!(usgs.spectra[0].values[0].is_nan() && usgs.spectra[0].values[2] == 0.5);
    assert_eq!(usgs.remarks, ["1 of 3 channels are marked as deleted"]);

    let json = r#"{"EsriEndmemberDefinitionFile": 0, "FileVersion": 1, "NumberOfEndmembers": 1, "NumberOfBands": 3,
        "Endmembers": [{"EndmemberID": 1, "EndmemberName": "urban", "SpectralProfile": [88, 42, 48]}]}"#;
    let (_folder, path) = text_file("endmembers.json", json);
    let arcgis = read_spectral_library(path).unwrap();
    assert_eq!(
        (arcgis.spectra[0].name.as_str(), arcgis.spectra[0].values.as_slice()),
        ("urban", [88.0, 42.0, 48.0].as_slice())
    );
}

/// Band centres and widths at half maximum of Sentinel-2A's published responses, and what those
/// responses give for the two spectra of RStoolbox (numpy: sum of response × value over the sum
/// of responses at 1 nm).
#[rustfmt::skip]
const SENTINEL: [(f64, f64, [f64; 2]); 13] = [
    (442.555, 19.694, [0.021838, 0.018047]), (491.892, 64.257, [0.034783, 0.026478]),
    (560.174, 34.798, [0.078634, 0.064856]), (664.609, 30.609, [0.057142, 0.031008]),
    (704.281, 13.983, [0.13509, 0.115977]), (740.444, 13.644, [0.295345, 0.324355]),
    (782.997, 19.017, [0.347407, 0.37537]), (834.867, 104.784, [0.373822, 0.396763]),
    (864.721, 20.476, [0.388818, 0.409383]), (945.128, 19.453, [0.406918, 0.426411]),
    (1373.505, 29.09, [0.321855, 0.298952]), (1613.485, 89.666, [0.272859, 0.238347]),
    (2199.668, 173.57, [0.13837, 0.10387]),
];

#[test]
fn gaussians_come_close_to_the_published_responses_of_sentinel_2() {
    let Some(folder) = data() else { return };
    let library = read_spectral_library(folder.join("envi-vegspec/vegSpec.sli")).unwrap();
    let bands: Vec<TargetBand> = SENTINEL
        .iter()
        .map(|(nm, fwhm, _)| TargetBand { name: format!("{nm}"), wavelength_nm: Some(*nm), fwhm_nm: Some(*fwhm) })
        .collect();
    for (index, spectrum) in library.spectra.iter().enumerate() {
        let resampled = resample(spectrum, &bands, Resampling::Gaussian);

        assert!(resampled.matches.iter().all(|matched| matched.used == MatchKind::Gaussian));
        for (value, (nm, _, expected)) in resampled.values.iter().zip(SENTINEL) {
            // The largest difference is that of the broad, flat-topped B12.
            assert!((value - expected[index]).abs() < 0.006, "{nm} nm: {value} against {}", expected[index]);
        }
    }
    // numpy's Gaussian over the same channels.
    let b4 = resample(&library.spectra[0], &bands[3..4], Resampling::Gaussian).values[0];
    assert!((b4 - 0.059055).abs() < 1e-6, "{b4}");
}
