use super::super::{Brush, BrushShape, PixelMask, PixelRun, shapes};
use super::{expected, pos, runs};
use crate::geo::PixelPos;
use crate::grid::PixelRect;

const BOUNDS: PixelRect = PixelRect::whole(40, 30);

#[test]
fn polygons_are_those_of_rasterio() {
    let expected = &expected()["polygons"];
    let size = |key: &str| expected[key].as_u64().unwrap() as usize;
    let bounds = PixelRect::whole(size("width"), size("height"));
    let cases = expected["cases"].as_array().unwrap();

    for (i, case) in cases.iter().enumerate() {
        let rings: Vec<Vec<[f64; 2]>> = serde_json::from_value(case["rings"].clone()).unwrap();
        let rings: Vec<Vec<PixelPos>> = rings.iter().map(|r| r.iter().map(|[x, y]| pos(*x, *y)).collect()).collect();

        assert_eq!(shapes::polygon(&rings, bounds), runs(&case["runs"]), "case {i}: {}", case["kind"]);
    }
    assert_eq!(cases.len(), 43);
}

#[test]
fn a_rectangle_holds_the_pixels_whose_centres_it_holds() {
    // Columns 2.5 to 6.5: centres in (2.5, 6.5] are those of 3, 4, 5, 6; rows 1.2 to 3.4: 1.5 and 2.5.
    let mask = shapes::rectangle(pos(6.5, 3.4), pos(2.5, 1.2), BOUNDS);

    assert_eq!(mask.runs(), [PixelRun(1, 3, 4), PixelRun(2, 3, 4)]);
    assert!(shapes::rectangle(pos(3.0, 3.0), pos(3.0, 3.0), BOUNDS).is_empty());
    assert_eq!(shapes::rectangle(pos(-1e300, -5.0), pos(1e300, 1e18), BOUNDS).n_px(), 1200);
}

#[test]
fn positions_that_are_no_numbers_are_left_out() {
    let ring =
        vec![pos(1.0, 1.0), pos(f64::NAN, 2.0), pos(5.0, 1.0), pos(5.0, 5.0), pos(f64::INFINITY, 0.0), pos(1.0, 5.0)];

    assert_eq!(shapes::polygon(&[ring, vec![], vec![pos(3.0, 3.0)]], BOUNDS).n_px(), 16);
    assert!(shapes::line(&[pos(f64::NAN, 0.0)], 5, BOUNDS).is_empty());
}

#[test]
fn a_thin_line_is_one_pixel_per_step() {
    let mask = shapes::line(&[pos(1.5, 1.5), pos(7.5, 4.5)], 1, BOUNDS);

    // Slope 1/2 from (1, 1) to (7, 4); halves are rounded away from zero.
    let expected: Vec<(usize, usize)> = vec![(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)];
    assert_eq!(mask.pixels().collect::<Vec<_>>(), expected);
    assert_eq!(shapes::line(&[pos(7.5, 4.5), pos(1.5, 1.5)], 1, BOUNDS), mask);
}

#[test]
fn a_square_brush_always_covers_its_size() {
    for size in [1, 2, 3, 8] {
        for at in [pos(10.0, 10.0), pos(10.5, 10.5), pos(10.25, 11.0), pos(9.999, 10.5)] {
            let mask = Brush::new(BrushShape::Square, size).footprint(at, BOUNDS);

            assert_eq!(mask.n_px(), u64::from(size * size), "{size} px at {at:?}");
        }
    }
}

#[test]
fn a_round_brush_covers_the_centres_within_its_radius() {
    for (size, a, b) in [
        (7, pos(10.5, 10.5), pos(10.5, 10.5)),
        (2, pos(10.3, 9.6), pos(22.1, 14.9)),
        (9, pos(-3.0, 4.2), pos(17.7, 31.0)),
        (12, pos(30.0, 2.0), pos(5.0, 2.0)),
        (5, pos(20.25, 28.0), pos(20.25, 3.5)),
        (6, pos(39.0, 29.0), pos(12.0, 1.0)),
    ] {
        let swept = shapes::line(&[a, b], size, BOUNDS);

        let (dx, dy) = (b.col - a.col, b.row - a.row);
        let within = |i: usize| {
            let (x, y) = ((i % 40) as f64 + 0.5 - a.col, (i / 40) as f64 + 0.5 - a.row);
            let t =
                if dx == 0.0 && dy == 0.0 { 0.0 } else { ((x * dx + y * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0) };
            (x - t * dx).hypot(y - t * dy) <= f64::from(size) / 2.0
        };
        let by_distance = PixelMask::from_values(BOUNDS, &(0..1200).map(within).collect::<Vec<_>>());
        assert_eq!(swept, by_distance, "{size} px from {a:?} to {b:?}");
    }
}

#[test]
fn a_square_sweep_is_the_squares_on_its_way() {
    for (size, a, b) in
        [(5, pos(8.3, 7.1), pos(25.9, 19.4)), (4, pos(30.2, 5.5), pos(12.7, 5.5)), (3, pos(9.1, 25.0), pos(9.1, 2.0))]
    {
        let brush = Brush::new(BrushShape::Square, size);
        let mut swept = super::super::sweep::Runs::within(BOUNDS);
        brush.sweep(a, b, &mut swept);

        let steps = 4000;
        let squares = (0..=steps).fold(PixelMask::default(), |mask, i| {
            let t = f64::from(i) / f64::from(steps);
            let at = pos(a.col + t * (b.col - a.col), a.row + t * (b.row - a.row));
            mask.union(&brush.footprint(at, BOUNDS))
        });
        assert_eq!(PixelMask::from_runs(swept.runs), squares, "{size} px from {a:?} to {b:?}");
    }
}

#[test]
fn a_brush_has_a_size_within_limits() {
    assert_eq!(Brush::new(BrushShape::Round, 0).size_px(), 1);
    assert_eq!(Brush::new(BrushShape::Round, 9000).size_px(), 2001);
    // 35 m of 10 m pixels are 3.5, rounded to 4.
    assert_eq!(Brush::of_metres(BrushShape::Square, 35.0, 10.0).size_px(), 4);
    let read: Brush = serde_json::from_str(r#"{"shape":"square","size_px":0}"#).unwrap();
    assert_eq!(read, Brush::new(BrushShape::Square, 1));
}
