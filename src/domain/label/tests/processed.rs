use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::post::{Element, Morphology, majority, morphology, remap, remove_small, sieve};
use super::super::{Connectivity, LabelError, LabelLayer, LabelPen, PixelMask, Target, TilePos};
use super::{expected, layer_of, lines, rows_of, rule, runs};
use crate::class::ClassId;
use crate::grid::PixelRect;

const SIZE: (usize, usize) = (70, 50);
/// So that the picture lies over the corner of four tiles.
const AT: (usize, usize) = (230, 240);

fn go_on(_: f32) -> bool {
    true
}

#[test]
fn the_sieve_is_gdals() {
    let expected = expected();
    let layer = layer_of(&lines(&expected["picture"]), AT, (600, 520));
    for case in expected["sieve"].as_array().unwrap() {
        let connectivity = if case["connectivity"] == 4 { Connectivity::Four } else { Connectivity::Eight };
        let min_px = case["min_px"].as_u64().unwrap();

        let result = sieve(&layer, min_px, connectivity, &mut go_on).unwrap();

        assert_eq!(rows_of(&result, AT, SIZE), lines(&case["result"]), "{min_px} px, {connectivity:?}");
    }
}

#[test]
fn the_majority_is_that_of_scipy() {
    let expected = expected();
    for (at, size) in [(AT, (600, 520)), ((0, 0), SIZE)] {
        let layer = layer_of(&lines(&expected["picture"]), at, size);
        for case in expected["majority"].as_array().unwrap() {
            let size_px = case["size_px"].as_u64().unwrap() as usize;

            let result = majority(&layer, size_px, &mut go_on).unwrap();

            assert_eq!(rows_of(&result, at, SIZE), lines(&case["result"]), "{size_px} px at {at:?}");
        }
    }
}

#[test]
fn morphology_is_that_of_scipy() {
    let expected = expected();
    let class = ClassId(3);
    let layer = layer_of(&lines(&expected["picture"]), (0, 0), SIZE);
    for case in expected["morphology"]["cases"].as_array().unwrap() {
        let operation: Morphology = serde_json::from_value(case["operation"].clone()).unwrap();
        let element: Element = serde_json::from_value(case.clone()).unwrap();

        let any = morphology(&layer, class, operation, element, Target::Any, &mut go_on).unwrap();
        let careful = morphology(&layer, class, operation, element, Target::Unlabelled, &mut go_on).unwrap();

        let area = |layer: &LabelLayer| PixelMask::of_class(layer, class, layer.rect());
        let labelled = |class: u32| PixelMask::of_class(&layer, ClassId(class), layer.rect());
        assert_eq!(area(&any), runs(&case["runs"]), "{operation:?} {element:?}");
        let others = [0, 1, 2, 4].map(labelled).iter().fold(PixelMask::default(), |all, one| all.union(one));
        assert_eq!(area(&careful), runs(&case["runs"]).difference(&others), "{operation:?} {element:?}");
    }
}

#[test]
fn morphology_is_the_same_in_strips() {
    let mut layer = LabelLayer::new(80, 1200);
    let mut pen = LabelPen::default();
    pen.paint_mask(&mut layer, &PixelMask::of_rect(PixelRect::new(20, 300, 30, 700)), rule(1));
    pen.paint_mask(&mut layer, &PixelMask::of_rect(PixelRect::new(30, 509, 2, 5)), rule(2));
    pen.lift(&mut layer);

    let element = Element::Square { radius_px: 2 };
    let closed = morphology(&layer, ClassId(1), Morphology::Close, element, Target::Any, &mut go_on).unwrap();

    let area = PixelMask::of_class(&closed, ClassId(1), closed.rect());
    assert_eq!(area, PixelMask::of_rect(PixelRect::new(20, 300, 30, 700)));
}

#[test]
fn small_regions_lose_their_label() {
    let layer = layer_of(&lines(&serde_json::json!(["11.22", "1..23", ".1..2"])), (0, 0), (5, 3));

    let four = remove_small(&layer, 3, Connectivity::Four, &mut go_on).unwrap();
    let eight = remove_small(&layer, 4, Connectivity::Eight, &mut go_on).unwrap();

    assert_eq!(rows_of(&four, (0, 0), (5, 3)), ["11.22", "1..2.", "....."]);
    // By corners both have 4 px and the 3 stays alone.
    assert_eq!(rows_of(&eight, (0, 0), (5, 3)), ["11.22", "1..2.", ".1..2"]);
}

#[test]
fn a_table_merges_replaces_and_shares_what_stays() {
    let mut layer = LabelLayer::new(1024, 256);
    let mut pen = LabelPen::default();
    for (class, col) in [(1, 0), (2, 256), (3, 512), (1, 768)] {
        pen.paint_mask(&mut layer, &PixelMask::of_rect(PixelRect::new(col, 0, 256, 256)), rule(class));
    }
    pen.lift(&mut layer);
    let table = BTreeMap::from([(ClassId(1), Some(ClassId(2))), (ClassId(3), None), (ClassId(99_999), None)]);

    let result = remap(&layer, &table, &mut go_on).unwrap();

    assert_eq!(result.counts(), BTreeMap::from([(ClassId(2), 3 * 65536)]));
    let tile = |layer: &LabelLayer, col: u32| Arc::clone(layer.tile(TilePos { col, row: 0 }).unwrap());
    assert!(Arc::ptr_eq(&tile(&result, 1), &tile(&layer, 1)));
    assert!(Arc::ptr_eq(&tile(&result, 0), &tile(&result, 3)));
}

#[test]
fn long_work_can_be_cancelled() {
    let layer = layer_of(&lines(&serde_json::json!(["12", "21"])), (0, 0), (2, 2));
    let mut stop = |_: f32| false;

    assert!(matches!(sieve(&layer, 2, Connectivity::Four, &mut stop), Err(LabelError::Cancelled)));
    assert!(matches!(majority(&layer, 3, &mut stop), Err(LabelError::Cancelled)));
    assert!(matches!(remap(&layer, &BTreeMap::new(), &mut stop), Err(LabelError::Cancelled)));
    let element = Element::Disc { radius_px: 1 };
    let opened = morphology(&layer, ClassId(1), Morphology::Open, element, Target::Any, &mut stop);
    assert!(matches!(opened, Err(LabelError::Cancelled)));
}
