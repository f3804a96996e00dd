//! Small rasters made here with GDAL, read back: nodata, masks, levels, places.
#![allow(clippy::disallowed_methods, reason = "tests make files and threads of their own")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use gdal::raster::{Buffer, ColorInterpretation, GdalType, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager, Metadata};
use nunatak_domain::geo::{GeoPos, Georeference, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::scene::{ColorRole, DataType, MaskKind, StatisticsSource};
use nunatak_io::{IoError, Sampling, describe, open, probe, statistics, statistics_window};

const WIDTH: usize = 40;
const HEIGHT: usize = 30;

/// A GeoTIFF of `n_bands` bands whose pixel `i` of band `b` is `value(b, i)`, in UTM 33N.
fn raster<T: GdalType + Copy>(
    path: &Path,
    n_bands: usize,
    options: &str,
    value: impl Fn(usize, usize) -> T,
    finish: impl FnOnce(&mut Dataset),
) {
    let driver = DriverManager::get_driver_by_name("GTiff").expect("the driver");
    let options: RasterCreationOptions = options.parse().expect("options");
    let mut dataset =
        driver.create_with_band_type_with_options::<T, _>(path, WIDTH, HEIGHT, n_bands, &options).expect("created");
    dataset.set_geo_transform(&[380_000.0, 10.0, 0.0, 5_975_000.0, 0.0, -10.0]).expect("placed");
    dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).expect("known")).expect("placed");
    for band in 0..n_bands {
        let values = (0..WIDTH * HEIGHT).map(|i| value(band, i)).collect();
        let mut buffer = Buffer::new((WIDTH, HEIGHT), values);
        dataset.rasterband(band + 1).expect("a band").write((0, 0), (WIDTH, HEIGHT), &mut buffer).expect("written");
    }
    finish(&mut dataset);
    dataset.close().expect("closed");
}

fn file(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

const ALL: PixelRect = PixelRect::whole(WIDTH, HEIGHT);

#[test]
fn nodata_counts_in_each_band_on_its_own() {
    let folder = folder();
    let path = file(&folder, "nodata.tif");
    // Only a VRT gives each band of one file a nodata value of its own.
    raster::<i16>(&file(&folder, "values.tif"), 2, "", |band, i| (i % 7) as i16 + 100 * band as i16, |_| {});
    let source = |band: usize, nodata: i16| {
        format!(
            r#"<VRTRasterBand dataType="Int16" band="{band}"><NoDataValue>{nodata}</NoDataValue><SimpleSource>
            <SourceFilename relativeToVRT="1">values.tif</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"#
        )
    };
    let vrt = format!(
        r#"<VRTDataset rasterXSize="{WIDTH}" rasterYSize="{HEIGHT}">{}{}</VRTDataset>"#,
        source(1, 3),
        source(2, 105)
    );
    std::fs::write(&path, vrt).expect("written");

    let mut source = open(&path).expect("opens");
    let read = source.read_window(ALL, &[1, 0]).expect("reads");

    assert_eq!(source.info().bands.iter().map(|band| band.nodata).collect::<Vec<_>>(), [Some(3.0), Some(105.0)]);
    assert!(source.info().bands.iter().all(|band| band.mask == MaskKind::Nodata));
    for i in 0..WIDTH * HEIGHT {
        assert_eq!(read.band(0)[i].is_nan(), i % 7 == 5, "band 2, pixel {i}");
        assert_eq!(read.band(1)[i].is_nan(), i % 7 == 3, "band 1, pixel {i}");
    }
    assert_eq!(read.get(0, 1, 0), 101.0);
    assert_eq!(probe(&mut source, PixelPos::new(3.9, 0.1)).expect("reads"), [None, Some(103.0)]);
    assert_eq!(probe(&mut source, PixelPos::new(-0.1, 0.0)).expect("reads"), [None, None]);
}

#[test]
fn wide_integers_keep_their_exact_nodata() {
    let folder = folder();
    let path = file(&folder, "wide.tif");
    let nodata = i64::MAX - 1;
    raster::<i64>(
        &path,
        1,
        "",
        |_, i| if i == 5 { nodata } else { nodata - 1 - i as i64 },
        |dataset| dataset.rasterband(1).expect("a band").set_no_data_value_i64(Some(nodata)).expect("set"),
    );

    let mut source = open(&path).expect("opens");
    let read = source.read_window(ALL, &[0]).expect("reads");

    assert_eq!(source.info().bands[0].data_type, DataType::Int64);
    // Neighbours differ by less than float32 or float64 can tell.
    let empty: Vec<usize> = (0..WIDTH * HEIGHT).filter(|&i| read.data[i].is_nan()).collect();
    assert_eq!(empty, [5]);
}

#[test]
fn an_internal_mask_empties_all_bands() {
    let folder = folder();
    let path = file(&folder, "mask.tif");
    gdal::config::set_thread_local_config_option("GDAL_TIFF_INTERNAL_MASK", "YES").expect("set");
    raster::<u8>(
        &path,
        3,
        "",
        |band, i| (band * 50 + i % 40) as u8,
        |dataset| {
            let mut band = dataset.rasterband(1).expect("a band");
            band.create_mask_band(true).expect("a mask");
            let mask = (0..WIDTH * HEIGHT).map(|i| if i % WIDTH < 10 { 0 } else { 255 }).collect();
            let mut mask: Buffer<u8> = Buffer::new((WIDTH, HEIGHT), mask);
            band.open_mask_band().expect("a mask").write((0, 0), (WIDTH, HEIGHT), &mut mask).expect("written");
        },
    );

    let mut source = open(&path).expect("opens");
    let read = source.read(ALL, &[0, 2], WIDTH / 2, HEIGHT / 2).expect("reads");

    assert!(source.info().bands.iter().all(|band| band.mask == MaskKind::Dataset));
    for row in 0..HEIGHT / 2 {
        for col in 0..WIDTH / 2 {
            assert_eq!(read.get(0, col, row).is_nan(), col < 5, "{col} {row}");
            assert_eq!(read.get(1, col, row).is_nan(), col < 5, "{col} {row}");
        }
    }
}

#[test]
fn where_alpha_is_zero_no_band_has_data() {
    let folder = folder();
    let path = file(&folder, "alpha.tif");
    raster::<u8>(
        &path,
        2,
        "ALPHA=YES",
        |band, i| if band == 1 { u8::from(i >= 100) * 3 } else { 7 },
        |dataset| {
            let mut band = dataset.rasterband(2).expect("a band");
            band.set_color_interpretation(ColorInterpretation::AlphaBand).expect("set");
        },
    );

    let mut source = open(&path).expect("opens");
    let one = source.read_window(ALL, &[0]).expect("reads");
    let both = source.read_window(ALL, &[1, 0]).expect("reads");

    assert_eq!(source.info().bands[1].color, ColorRole::Alpha);
    assert_eq!(one.data.iter().filter(|value| value.is_nan()).count(), 100);
    assert_eq!(both.band(1)[100..], one.data[100..]);
    assert!(both.band(0)[..100].iter().all(|value| value.is_nan()) && both.band(0)[100] == 3.0);
}

#[test]
fn description_tells_scale_names_wavelengths_and_stored_statistics() {
    let folder = folder();
    let path = file(&folder, "described é 湖.tif");
    raster::<u16>(
        &path,
        3,
        "INTERLEAVE=BAND COMPRESS=DEFLATE",
        |_, i| i as u16,
        |dataset| {
            let mut band = dataset.rasterband(1).expect("a band");
            band.set_scale(0.0001).expect("set");
            band.set_offset(-0.1).expect("set");
            band.set_description("blue").expect("set");
            for (key, value) in [("MINIMUM", "0"), ("MAXIMUM", "1199"), ("MEAN", "599.5"), ("STDDEV", "346.4")] {
                band.set_metadata_item(&format!("STATISTICS_{key}"), value, "").expect("set");
            }
            let mut band = dataset.rasterband(2).expect("a band");
            band.set_metadata_item("CENTRAL_WAVELENGTH_UM", "0.665", "IMAGERY").expect("set");
            band.set_metadata_item("FWHM_UM", "0.03", "IMAGERY").expect("set");
            dataset.set_metadata_item("sensor", "none", "").expect("set");
        },
    );

    let info = describe(&path).expect("opens");

    assert_eq!((info.bands[0].scale, info.bands[0].offset), (0.0001, -0.1));
    assert_eq!(info.bands.iter().map(|band| band.name.as_str()).collect::<Vec<_>>(), ["blue", "665 nm", "Band 3"]);
    assert_eq!((info.bands[1].wavelength_nm, info.bands[1].fwhm_nm), (Some(665.0), Some(30.0)));
    let stored = info.bands[0].statistics.as_ref().expect("stored");
    assert_eq!((stored.max, stored.source.clone()), (1199.0, StatisticsSource::Stored));
    assert_eq!(info.crs.as_ref().and_then(|crs| crs.code.as_deref()), Some("EPSG:32633"));
    assert_eq!((info.compression.as_deref(), info.interleave.as_deref()), (Some("DEFLATE"), Some("BAND")));
    assert!(info.metadata.contains(&("sensor".to_owned(), "none".to_owned())), "{:?}", info.metadata);
    assert_eq!(info.name(), "described é 湖.tif");
}

#[test]
fn rotated_and_south_up_rasters_keep_their_transform() {
    let folder = folder();
    for (name, coefficients, remark) in [
        ("south-up.tif", [380_000.0, 10.0, 0.0, 5_974_700.0, 0.0, 10.0], "south to north"),
        ("rotated.tif", [380_000.0, 9.5, -3.0, 5_975_000.0, -3.0, -9.5], "rotated"),
    ] {
        let path = file(&folder, name);
        raster::<u8>(&path, 1, "", |_, _| 1, |dataset| dataset.set_geo_transform(&coefficients).expect("placed"));

        let info = describe(&path).expect("opens");

        let Georeference::Affine { transform } = info.georeference else { panic!("{name}: {:?}", info.georeference) };
        for (found, expected) in transform.0.iter().zip(coefficients) {
            assert!((found - expected).abs() < 1e-9, "{name}: {transform:?}");
        }
        assert!(info.remarks.iter().any(|text| text.contains(remark)), "{name}: {:?}", info.remarks);
        let corner = transform.geo_from_pixel(PixelPos::new(0.0, 0.0));
        assert_eq!(corner, GeoPos::new(coefficients[0], coefficients[3]));
    }
}

#[test]
fn coarse_reads_take_the_nearest_pixel_or_an_overview() {
    let folder = folder();
    let path = file(&folder, "levels.tif");
    raster::<u16>(&path, 1, "", |_, i| (i % WIDTH) as u16, |_| {});
    let mut source = open(&path).expect("opens");
    let plain = source.read(ALL, &[0], WIDTH / 2, HEIGHT / 2).expect("reads");
    assert!(plain.data.iter().all(|value| value.fract() == 0.0));
    assert_eq!(source.blocks_touched(ALL, WIDTH, HEIGHT), 1);
    drop(source);

    let mut dataset = Dataset::open_ex(
        &path,
        gdal::DatasetOptions { open_flags: gdal::GdalOpenFlags::GDAL_OF_UPDATE, ..Default::default() },
    )
    .expect("opens");
    dataset.build_overviews("AVERAGE", &[2, 4], &[]).expect("built");
    dataset.close().expect("closed");

    let mut source = open(&path).expect("opens");
    assert_eq!(source.info().overviews, [(20, 15), (10, 8)]);
    let level = source.read(ALL, &[0], WIDTH / 2, HEIGHT / 2).expect("reads");
    // Averages of 0 and 1, 2 and 3, … rounded up.
    assert_eq!(level.data[..3], [1.0, 3.0, 5.0]);
}

#[test]
fn coarse_reads_can_be_bounded_in_blocks() {
    let folder = folder();
    let path = file(&folder, "blocks.tif");
    raster::<u16>(&path, 1, "TILED=YES BLOCKXSIZE=16 BLOCKYSIZE=16", |_, i| (i % WIDTH) as u16, |_| {});
    let mut source = open(&path).expect("opens");
    assert_eq!(source.blocks_touched(ALL, 8, 8), 6);

    let raster = source.read_coarse(ALL, &[0], (8, 8), 4).expect("reads");

    assert_eq!((raster.width, raster.height), (8, 8));
    assert!(raster.data.iter().all(|value| value.is_finite()));
    assert!(raster.data[0] < raster.data[7]);
}

#[test]
fn statistics_say_where_they_come_from_and_leave_nothing_behind() {
    let folder = folder();
    let path = file(&folder, "statistics.tif");
    raster::<f32>(
        &path,
        2,
        "TILED=YES BLOCKXSIZE=16 BLOCKYSIZE=16",
        |band, i| if i == 0 { f32::NAN } else { (band + i) as f32 },
        |_| {},
    );
    let mut source = open(&path).expect("opens");

    let exact = statistics(&mut source, Sampling::default()).expect("reads");
    let window = statistics_window(&mut source, PixelRect::new(0, 0, 10, 1), &[1], 1 << 20).expect("reads");

    let first = exact[0].as_ref().expect("values");
    assert_eq!((first.min, first.max, first.source.clone()), (1.0, 1199.0, StatisticsSource::Exact));
    assert_eq!(first.percentiles.len(), 101);
    assert!((first.valid.expect("known") - 1199.0 / 1200.0).abs() < 1e-12);
    let window = window[0].as_ref().expect("values");
    assert_eq!((window.min, window.max), (2.0, 10.0));
    drop(source);
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["statistics.tif"]);
}

#[test]
fn a_sample_of_a_large_raster_is_bounded_and_says_so() {
    let folder = folder();
    let path = file(&folder, "large.tif");
    let driver = DriverManager::get_driver_by_name("GTiff").expect("the driver");
    let options: RasterCreationOptions = "SPARSE_OK=TRUE TILED=YES COMPRESS=DEFLATE".parse().expect("options");
    let side = 20_000;
    let mut dataset =
        driver.create_with_band_type_with_options::<u8, _>(&path, side, side, 1, &options).expect("created");
    dataset.set_geo_transform(&[0.0, 1.0, 0.0, 0.0, 0.0, -1.0]).expect("placed");
    dataset.close().expect("closed");
    let mut source = open(&path).expect("opens");

    let sampled = statistics(&mut source, Sampling { max_px: 100_000, stored: true }).expect("reads");

    let sampled = sampled[0].as_ref().expect("zeros are values");
    let StatisticsSource::Sampled { pixels, of } = sampled.source else { panic!("{:?}", sampled.source) };
    assert!(pixels <= 100_000 && pixels > 20_000 && of == (side * side) as u64, "{pixels} of {of}");
    assert!(source.info().remarks.iter().any(|text| text.contains("no overviews")), "{:?}", source.info().remarks);
}

#[test]
fn containers_list_their_subdatasets_and_name_them_when_opened() {
    let folder = folder();
    let path = file(&folder, "two.gpkg");
    let plain = file(&folder, "one.tif");
    raster::<u8>(&plain, 1, "", |_, i| i as u8, |_| {});
    let driver = DriverManager::get_driver_by_name("GPKG").expect("the driver");
    for options in ["RASTER_TABLE=first", "RASTER_TABLE=second APPEND_SUBDATASET=YES"] {
        let options: RasterCreationOptions = options.parse().expect("options");
        drop(Dataset::open(&plain).expect("opens").create_copy(&driver, &path, &options).expect("written"));
    }

    let info = describe(&path).expect("describes");
    assert_eq!((info.n_bands(), info.subdatasets.len()), (0, 2));
    assert!(info.subdatasets[1].0.ends_with(":second"), "{:?}", info.subdatasets);
    let error = open(&path).err().expect("no bands");
    assert!(matches!(error, IoError::OnlySubdatasets { n: 2, .. }), "{error}");
    assert!(error.to_string().contains(":first"), "{error}");
    assert!(open(Path::new(&info.subdatasets[0].0)).expect("opens").info().n_bands() > 0);
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let folder = folder();
    let text = file(&folder, "notes.tif");
    std::fs::write(&text, "no raster").expect("written");
    let empty = file(&folder, "empty.tif");
    std::fs::write(&empty, "").expect("written");
    let say = |path: &Path| open(path).err().expect("an error").to_string();

    assert_eq!(say(&text), format!("failed to open raster: no raster format that GDAL knows: {}", text.display()));
    assert_eq!(say(&empty), format!("failed to open raster: the file is empty: {}", empty.display()));
    assert_eq!(
        say(folder.path()),
        format!("failed to open raster: this is a folder, not a raster: {}", folder.path().display())
    );
    let nowhere = file(&folder, "nowhere.tif");
    assert_eq!(say(&nowhere), format!("failed to open raster: no such file: {}", nowhere.display()));
    assert!(say(Path::new("a\0b.tif")).contains("NUL"));
}

#[test]
fn windows_outside_and_bands_that_are_not_there_are_errors() {
    let folder = folder();
    let path = file(&folder, "small.tif");
    raster::<u8>(&path, 1, "", |_, _| 1, |_| {});
    let mut source = open(&path).expect("opens");

    for (window, bands, what) in [
        (PixelRect::new(30, 0, 20, 5), vec![0], "does not lie within"),
        (PixelRect::new(0, 0, 0, 5), vec![0], "empty"),
        (ALL, vec![0, 1], "no band 2"),
    ] {
        let error = source.read_window(window, &bands).expect_err("not there").to_string();
        assert!(error.contains(what) && error.ends_with("small.tif"), "{error}");
    }
}

#[test]
fn zipped_rasters_are_opened_in_place() {
    let folder = folder();
    let path = file(&folder, "inside.tif");
    raster::<u8>(&path, 1, "", |_, i| i as u8, |_| {});
    let archive = format!("/vsizip/{}/inside.tif", file(&folder, "archive.zip").display());
    let driver = DriverManager::get_driver_by_name("PNG").expect("the driver");
    // GDAL writes into archives one file after the other, which PNG can.
    let picture = archive.replace("inside.tif", "inside.png");
    let created =
        Dataset::open(&path).expect("opens").create_copy(&driver, &picture, &RasterCreationOptions::default());
    drop(created.expect("written"));

    let mut source = open(Path::new(&picture)).expect("opens");

    assert_eq!(source.info().driver, "PNG");
    assert_eq!(source.read_window(ALL, &[0]).expect("reads").get(0, 3, 0), 3.0);
}

/// Serves `content` as `/scene.tif` by byte ranges until the test ends.
fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &content);
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, content: &[u8]) -> std::io::Result<()> {
    let lines: Vec<String> =
        BufReader::new(stream.try_clone()?).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let request = lines.first().cloned().unwrap_or_default();
    if !request.contains(" /scene.tif ") {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let range = lines.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let (status, start, end) = match range.as_deref().and_then(|range| range.split_once('-')) {
        Some((start, end)) => {
            let start = start.parse().unwrap_or(0).min(content.len());
            (
                "206 Partial Content",
                start,
                end.parse().map_or(content.len(), |end: usize| end + 1).clamp(start, content.len()),
            )
        }
        None => ("200 OK", 0, content.len()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{}\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n",
        end - start,
        end.max(1) - 1,
        content.len()
    );
    stream.write_all(head.as_bytes())?;
    if request.starts_with("GET") { stream.write_all(&content[start..end]) } else { Ok(()) }
}

#[test]
fn remote_rasters_are_read_by_their_address() {
    if ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].iter().any(|name| std::env::var_os(name).is_some()) {
        eprintln!("skipped: a proxy stands between this test and its own server");
        return;
    }
    if gdal::DriverManager::get_driver_by_name("HTTP").is_err() {
        eprintln!("skipped: this GDAL reads no remote files");
        return;
    }
    let folder = folder();
    let path = file(&folder, "scene.tif");
    raster::<u16>(&path, 2, "TILED=YES BLOCKXSIZE=16 BLOCKYSIZE=16", |band, i| (i + band) as u16, |_| {});
    let server = serve(std::fs::read(&path).expect("readable"));

    let mut source = open(Path::new(&format!("{server}/scene.tif"))).expect("opens");
    let read = source.read_window(PixelRect::new(20, 20, 5, 5), &[1]).expect("reads");

    assert_eq!(read.get(0, 0, 0), (20 * WIDTH + 20 + 1) as f32);
    assert_eq!(source.info().path, Path::new(&format!("/vsicurl/{server}/scene.tif")));
    let error = open(Path::new(&format!("{server}/other.tif"))).err().expect("not there").to_string();
    assert!(error.contains("404") && error.ends_with("other.tif"), "{error}");
}
