//! `Crs` values from GDAL's spatial references, and back.

use gdal::spatial_ref::{AxisMappingStrategy, SpatialRef};
use nunatak_domain::geo::Crs;

use crate::error::{IoError, gdal_reason};
use crate::raw;

/// The horizontal system as the program passes it around; `None` for local engineering,
/// geocentric and vertical systems, which tie no map to the earth.
pub(crate) fn crs_from_gdal(reference: &SpatialRef) -> Option<Crs> {
    let geographic = reference.is_geographic();
    if !geographic && !reference.is_projected() {
        return None;
    }
    let flat = raw::horizontal(reference);
    let wkt = raw::wkt(reference)?;
    let metres_per_unit =
        if geographic { flat.semi_major().unwrap_or(6_378_137.0) * flat.angular_units() } else { flat.linear_units() };
    let code = flat.authority().ok().or_else(|| {
        let mut identified = flat.clone();
        let _ = identified.auto_identify_epsg();
        identified.authority().ok().or_else(|| raw::best_match(&flat)?.authority().ok())
    });
    Some(Crs {
        wkt,
        name: reference.name().filter(|name| !name.is_empty()).unwrap_or_else(|| "unnamed".to_owned()),
        code,
        geographic,
        metres_per_unit: if metres_per_unit > 0.0 { metres_per_unit } else { 1.0 },
    })
}

/// GDAL's reference for a `Crs`, x east and y north.
///
/// # Errors
/// The WKT is not one that GDAL reads.
pub(crate) fn gdal_from_crs(crs: &Crs) -> Result<SpatialRef, IoError> {
    crate::library::start();
    let mut reference = SpatialRef::from_wkt(&crs.wkt)
        .map_err(|error| IoError::Crs(format!("{} ({})", crs.name, gdal_reason(&error))))?;
    reference.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(reference)
}
