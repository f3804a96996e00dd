//! Stored values to float32: which of them mean "no data".
//!
//! Nodata is compared in the type the file stores, before anything is rounded to float32.

use nunatak_domain::scene::DataType;

/// The type that holds every value of a band exactly, and in which it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    F32,
    I32,
    U32,
    F64,
    I64,
    U64,
    Complex,
}

impl Carrier {
    pub(crate) const ALL: [Self; 7] = [Self::F32, Self::I32, Self::U32, Self::F64, Self::I64, Self::U64, Self::Complex];

    pub(crate) const fn of(data_type: DataType) -> Self {
        match data_type {
            DataType::UInt8 | DataType::Int8 | DataType::UInt16 | DataType::Int16 | DataType::Float32 => Self::F32,
            DataType::Int32 => Self::I32,
            DataType::UInt32 => Self::U32,
            DataType::Float64 | DataType::Unknown => Self::F64,
            DataType::Int64 => Self::I64,
            DataType::UInt64 => Self::U64,
            DataType::Complex => Self::Complex,
        }
    }
}

/// The nodata value of a band in the band's own type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Nodata {
    None,
    /// Integers below 64 bits, float64, magnitudes.
    Exact(f64),
    /// Float32: the tag is decimal text, so the last digits may differ.
    Single(f32),
    I64(i64),
    U64(u64),
}

impl Nodata {
    pub(crate) fn new(data_type: DataType, value: Option<f64>) -> Self {
        match value {
            None => Self::None,
            Some(value) if value.is_nan() => Self::None,
            // Infinities are no values anyway.
            Some(value) if data_type == DataType::Float32 && !(value as f32).is_finite() => Self::None,
            Some(value) if data_type == DataType::Float32 => Self::Single(value as f32),
            Some(value) => Self::Exact(value),
        }
    }

    /// As the scene's description states it.
    pub(crate) fn as_f64(self) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Exact(value) => Some(value),
            Self::Single(value) => Some(f64::from(value)),
            Self::I64(value) => Some(value as f64),
            Self::U64(value) => Some(value as f64),
        }
    }
}

/// How far a float32 may lie from its nodata value: two units in the last place as in GDAL, and
/// for the huge values that stand for "nothing" the six digits that programs usually write.
fn tolerance(nodata: f32) -> f32 {
    if nodata.abs() > 1e38 { 1e-5 * nodata.abs() } else { 2.0 * f32::EPSILON * nodata.abs() }
}

/// In place: nodata and infinities become NaN, bytes above 127 negative where `signed_byte`.
pub(crate) fn clean_f32(values: &mut [f32], nodata: Nodata, data_type: DataType, signed_byte: bool) {
    if signed_byte {
        values.iter_mut().filter(|value| **value > 127.0).for_each(|value| *value -= 256.0);
    }
    match (nodata, data_type) {
        (Nodata::Single(nodata), _) => {
            let tolerance = tolerance(nodata);
            for value in values.iter_mut() {
                let keep = value.is_finite() && ((*value - nodata).abs() > tolerance);
                *value = if keep { *value } else { f32::NAN };
            }
        }
        (_, DataType::Float32) => {
            for value in values.iter_mut() {
                *value = if value.is_finite() { *value } else { f32::NAN };
            }
        }
        (Nodata::Exact(nodata), _) => {
            let nodata = nodata as f32;
            for value in values.iter_mut() {
                *value = if *value == nodata { f32::NAN } else { *value };
            }
        }
        _ => {}
    }
}

/// float32 of wider values; what is nodata, not finite, or beyond float32 becomes NaN.
pub(crate) fn from_f64(values: &[f64], nodata: Nodata, out: &mut [f32]) {
    let nodata = nodata.as_f64().unwrap_or(f64::NAN);
    for (out, &value) in out.iter_mut().zip(values) {
        let single = value as f32;
        *out = if value == nodata || !single.is_finite() { f32::NAN } else { single };
    }
}

/// float32 of 32-bit integers.
pub(crate) fn from_32<T: Copy + Into<f64>>(values: &[T], nodata: Nodata, out: &mut [f32]) {
    let nodata = nodata.as_f64().unwrap_or(f64::NAN);
    for (out, &value) in out.iter_mut().zip(values) {
        let value: f64 = value.into();
        *out = if value == nodata { f32::NAN } else { value as f32 };
    }
}

pub(crate) fn from_i64(values: &[i64], nodata: Nodata, out: &mut [f32]) {
    let nodata = if let Nodata::I64(nodata) = nodata { Some(nodata) } else { None };
    for (out, &value) in out.iter_mut().zip(values) {
        *out = if Some(value) == nodata { f32::NAN } else { value as f32 };
    }
}

pub(crate) fn from_u64(values: &[u64], nodata: Nodata, out: &mut [f32]) {
    let nodata = if let Nodata::U64(nodata) = nodata { Some(nodata) } else { None };
    for (out, &value) in out.iter_mut().zip(values) {
        *out = if Some(value) == nodata { f32::NAN } else { value as f32 };
    }
}

/// Magnitude of complex values. Nodata is compared with the real part, as GDAL does.
pub(crate) fn from_complex(values: &[[f64; 2]], nodata: Nodata, out: &mut [f32]) {
    let nodata = nodata.as_f64().unwrap_or(f64::NAN);
    for (out, &[real, imaginary]) in out.iter_mut().zip(values) {
        let single = real.hypot(imaginary) as f32;
        *out = if real == nodata || !single.is_finite() { f32::NAN } else { single };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_nodata_is_found_though_its_text_was_rounded() {
        let nan = |value: f32, nodata: f64| {
            let mut values = [value];
            clean_f32(&mut values, Nodata::new(DataType::Float32, Some(nodata)), DataType::Float32, false);
            values[0].is_nan()
        };
        assert!(nan(f32::MIN, -3.40282e38) && nan(0.1, 0.1) && nan(0.0, 0.0));
        assert!(!nan(1.0, 1.0001) && !nan(0.0, 1e-30) && !nan(5.0, f64::INFINITY));
    }

    #[test]
    fn nodata_outside_of_the_type_hits_nothing() {
        let mut values = [0.0, 255.0, 241.0];
        clean_f32(&mut values, Nodata::new(DataType::UInt8, Some(-9999.0)), DataType::UInt8, false);
        assert_eq!(values, [0.0, 255.0, 241.0]);
    }

    #[test]
    fn wide_integers_are_compared_before_rounding() {
        let mut out = [0.0; 2];
        from_i64(&[i64::MAX, i64::MAX - 1], Nodata::I64(i64::MAX), &mut out);
        assert!(out[0].is_nan() && out[1] == 9.223_372e18);

        from_f64(&[16_777_217.0, 16_777_216.0], Nodata::Exact(16_777_217.0), &mut out);
        assert!(out[0].is_nan() && out[1] == 16_777_216.0);
    }

    #[test]
    fn infinities_become_nan() {
        let mut values = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0];
        clean_f32(&mut values, Nodata::None, DataType::Float32, false);
        assert!(values[..3].iter().all(|v| v.is_nan()) && values[3] == 1.0);
    }

    #[test]
    fn signed_bytes_are_negative_above_127() {
        let mut values = [0.0, 127.0, 128.0, 255.0];
        clean_f32(&mut values, Nodata::new(DataType::Int8, Some(-1.0)), DataType::Int8, true);
        assert_eq!(values[..3], [0.0, 127.0, -128.0]);
        assert!(values[3].is_nan());
    }
}
