//! Tells the code whether GDAL knows 64-bit nodata values (3.5 and later).

fn main() {
    println!("cargo::rustc-check-cfg=cfg(gdal_int64)");
    println!("cargo::rerun-if-env-changed=DEP_GDAL_VERSION_NUMBER");
    let version: Option<i64> = std::env::var("DEP_GDAL_VERSION_NUMBER").ok().and_then(|text| text.parse().ok());
    if version.is_some_and(|number| number >= 3_050_000) {
        println!("cargo::rustc-cfg=gdal_int64");
    }
}
