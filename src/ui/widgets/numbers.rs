//! How numbers are written for people.

/// Thousands parted by narrow spaces: `3 224 101`.
pub(crate) fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.*}", decimals, value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::with_capacity(text.len() + 8);
    if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A pixel's value: whole numbers as they are, others with about five significant digits.
pub(crate) fn value(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "no data".to_owned()
    } else if value == value.trunc() && size < 1e9 {
        format!("{value:.0}")
    } else if !(1e-4..1e7).contains(&size) {
        format!("{value:.3e}")
    } else {
        let decimals = (4.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
        format!("{value:.decimals$}")
    }
}

/// About three significant digits, for narrow places.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e5).contains(&size) {
        format!("{value:.1e}")
    } else {
        let decimals = (2.0 - size.log10().floor()).clamp(0.0, 4.0) as usize;
        format!("{value:.decimals$}")
    }
}

/// `9 s`, `2 min 05 s`, `1 h 12 min`.
pub(crate) fn duration(secs: f32) -> String {
    let secs = secs.max(0.0).round() as u64;
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min {:02} s", secs / 60, secs % 60),
        _ => format!("{} h {:02} min", secs / 3600, secs % 3600 / 60),
    }
}

/// `28.9100° N 95.2000° E`.
pub(crate) fn lon_lat(lon: f64, lat: f64) -> String {
    let (ns, ew) = (if lat < 0.0 { 'S' } else { 'N' }, if lon < 0.0 { 'W' } else { 'E' });
    format!("{:.5}° {ns}  {:.5}° {ew}", lat.abs(), lon.abs())
}

/// The largest of 1, 2, 5 · 10ⁿ that is not above `limit`.
pub(crate) fn round_below(limit: f64) -> f64 {
    if !(limit > 0.0 && limit.is_finite()) {
        return 1.0;
    }
    let power = 10f64.powf(limit.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * power).find(|&step| step <= limit).unwrap_or(power)
}

/// A length on the ground: `500 m`, `2 km`, `30 cm`.
pub(crate) fn metres(length: f64) -> String {
    if length >= 1000.0 {
        format!("{} km", trimmed(length / 1000.0))
    } else if length >= 1.0 {
        format!("{} m", trimmed(length))
    } else {
        format!("{} cm", trimmed(length * 100.0))
    }
}

/// The same with three significant digits, for what is not exact: `1.24 km`.
pub(crate) fn metres_rounded(length: f64) -> String {
    if !(length > 0.0 && length.is_finite()) {
        return metres(0.0);
    }
    let unit = 10f64.powf(length.log10().floor() - 2.0);
    metres((length / unit).round() * unit)
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(3_224_101.25, 1), "3\u{2009}224\u{2009}101.2");
        assert_eq!(grouped(-12.0, 0), "−12");
        assert_eq!(grouped(-0.001, 1), "0.0");
    }

    #[test]
    fn values_keep_what_matters() {
        assert_eq!(value(1234.0), "1234");
        assert_eq!(value(0.123_456_7), "0.12346");
        assert_eq!(value(1e-7), "1.000e-7");
        assert_eq!(value(f64::NAN), "no data");
    }

    #[test]
    fn scale_bars_have_round_lengths() {
        assert_eq!(round_below(730.0), 500.0);
        assert_eq!(round_below(0.21), 0.2);
        assert_eq!(metres(round_below(4800.0)), "2 km");
        assert_eq!(metres(0.5), "50 cm");
        assert_eq!(metres_rounded(1234.567), "1.23 km");
        assert_eq!(metres_rounded(88.83), "88.8 m");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(9.2), "9 s");
        assert_eq!(duration(125.0), "2 min 05 s");
        assert_eq!(duration(4320.0), "1 h 12 min");
    }
}
