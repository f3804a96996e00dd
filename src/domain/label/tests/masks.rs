use proptest::prelude::*;

use super::super::{LabelLayer, LabelPen, LabelPyramid, PaintRule, PixelMask, PixelRun, Target, TilePos, UNLABELLED};
use super::{lines, rule};
use crate::class::ClassId;
use crate::grid::{PixelRect, TILE_SIZE, TileId};

const RECT: PixelRect = PixelRect::new(3, 2, 9, 6);

fn mask_of(yes: &[bool]) -> PixelMask {
    PixelMask::from_values(RECT, yes)
}

proptest! {
    #[test]
    fn set_operations_are_those_of_each_pixel(
        a in proptest::collection::vec(any::<bool>(), 54), b in proptest::collection::vec(any::<bool>(), 54),
    ) {
        let both = |keep: fn(bool, bool) -> bool| mask_of(&a.iter().zip(&b).map(|(a, b)| keep(*a, *b)).collect::<Vec<_>>());

        prop_assert_eq!(mask_of(&a).union(&mask_of(&b)), both(|a, b| a || b));
        prop_assert_eq!(mask_of(&a).intersection(&mask_of(&b)), both(|a, b| a && b));
        prop_assert_eq!(mask_of(&a).difference(&mask_of(&b)), both(|a, b| a && !b));
        for (i, yes) in a.iter().enumerate() {
            prop_assert_eq!(mask_of(&a).contains(RECT.col + i % 9, RECT.row + i / 9), *yes);
        }
        let inner = PixelRect::new(5, 3, 4, 2);
        let inside = |i: usize| (5..9).contains(&(RECT.col + i % 9)) && (3..5).contains(&(RECT.row + i / 9));
        let clipped: Vec<bool> = a.iter().enumerate().map(|(i, yes)| *yes && inside(i)).collect();
        prop_assert_eq!(mask_of(&a).clipped(inner), mask_of(&clipped));
    }
}

#[test]
fn runs_in_any_order_become_a_mask() {
    let mask: PixelMask = serde_json::from_str("[[5,3,2],[1,0,4],[5,5,1],[1,2,9],[2,0,0],[9,4294967290,100]]").unwrap();

    assert_eq!(mask.runs(), [PixelRun(1, 0, 11), PixelRun(5, 3, 3), PixelRun(9, 4_294_967_290, 5)]);
    assert_eq!(mask.n_px(), 19);
    assert_eq!(serde_json::to_string(&mask.clipped(PixelRect::whole(9, 9))).unwrap(), "[[1,0,9],[5,3,3]]");
    assert_eq!(PixelMask::of_rect(RECT).bounds(), Some(RECT));
    assert_eq!(PixelMask::default().bounds(), None);
}

#[test]
fn a_mask_painted_is_the_mask_read_again() {
    let mut layer = LabelLayer::new(700, 530);
    let mask = PixelMask::from_runs([
        PixelRun(3, 250, 20),
        PixelRun(255, 0, 600),
        PixelRun(256, 690, 99),
        PixelRun(600, 1, 5),
    ]);
    let mut pen = LabelPen::default();
    pen.paint_mask(&mut layer, &mask, rule(4));
    pen.lift(&mut layer);

    let read = PixelMask::of_class(&layer, ClassId(4), layer.rect());

    assert_eq!(read, mask.clipped(layer.rect()));
    assert_eq!(read.n_px(), 20 + 600 + 10);
    assert_eq!(layer.counts()[&ClassId(4)], 630);
}

#[test]
fn rules_leave_other_pixels_alone() {
    let start = super::layer_of(&lines(&serde_json::json!(["..1122.."])), (0, 0), (8, 1));
    let painted = |class: Option<u32>, onto: Target| {
        let (mut layer, mut pen) = (start.clone(), LabelPen::default());
        pen.paint_row(&mut layer, 0, 1..7, PaintRule { class: class.map(ClassId), onto });
        pen.lift(&mut layer);
        super::rows_of(&layer, (0, 0), (8, 1)).concat()
    };

    assert_eq!(painted(Some(5), Target::Any), ".555555.");
    assert_eq!(painted(Some(5), Target::Unlabelled), ".511225.");
    assert_eq!(painted(Some(5), Target::Class { class: ClassId(2) }), "..1155..");
    assert_eq!(painted(None, Target::Class { class: ClassId(1) }), "....22..");
    assert_eq!(painted(None, Target::Any), ".".repeat(8));
}

#[test]
fn tiles_that_are_covered_whole_are_shared() {
    let mut layer = LabelLayer::new(2048, 1024);
    let mut pen = LabelPen::default();
    let whole = PixelMask::of_rect(layer.rect());
    pen.paint_mask(&mut layer, &whole, rule(1));
    let change = pen.lift(&mut layer);

    let first = layer.tile(TilePos { col: 0, row: 0 }).unwrap();
    assert_eq!(layer.tiles().count(), 32);
    assert!(layer.tiles().all(|(_, tile)| std::sync::Arc::ptr_eq(tile, first)));
    assert_eq!(layer.counts()[&ClassId(1)], 2048 * 1024);
    change.undo(&mut layer);
    assert_eq!(layer, LabelLayer::new(2048, 1024));
}

#[test]
fn a_thin_stroke_is_seen_at_every_level() {
    let mut layer = LabelLayer::new(3000, 2000);
    let mut pen = LabelPen::default();
    pen.paint_row(&mut layer, 1237, 10..2900, rule(7));
    pen.lift(&mut layer);
    let mut pyramid = LabelPyramid::default();

    for level in 1..=4u8 {
        let n = |col: u32, row: u32, pyramid: &mut LabelPyramid| {
            let tile = pyramid.tile(&layer, TileId { level, col, row });
            tile.map_or(0, |tile| tile.ids().iter().filter(|&&id| id == 7).count())
        };
        let total: usize = (0..12).flat_map(|c| (0..8).map(move |r| (c, r))).map(|(c, r)| n(c, r, &mut pyramid)).sum();

        // Columns 10 to 2899, halved `level` times.
        assert_eq!(total, (2899 >> level) - (10 >> level) + 1, "level {level}");
    }
}

#[test]
fn most_labelled_pixels_win_a_coarser_one() {
    let rows = lines(&serde_json::json!(["12..3344", "33.5....", "12122221", "3421..11"]));
    let layer = super::layer_of(&rows, (0, 0), (8, 4));

    let tile = LabelPyramid::default().tile(&layer, TileId { level: 1, col: 0, row: 0 }).unwrap();

    // 1233 -> 3, ...5 -> 5, 33.. -> 3, 44.. -> 4 / 1234 -> 1, 1221 -> 1, 22.. -> 2, 2111 -> 1
    assert_eq!(tile.row(0)[..5], [3, 5, 3, 4, UNLABELLED]);
    assert_eq!(tile.row(1)[..5], [1, 1, 2, 1, UNLABELLED]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_mended_pyramid_is_one_made_anew(
        rects in proptest::collection::vec((0usize..1100, 0usize..900, 1usize..700, 1usize..500, 0u32..4), 1..6),
    ) {
        let mut layer = LabelLayer::new(1100, 900);
        let mut pyramid = LabelPyramid::default();
        for (col, row, width, height, class) in rects {
            let dirty = PixelRect::new(col, row, width, height).intersection(&layer.rect()).unwrap();
            let mut pen = LabelPen::default();
            let rule = PaintRule { class: (class > 0).then_some(ClassId(class)), onto: Target::Any };
            pen.paint_mask(&mut layer, &PixelMask::of_rect(dirty), rule);
            pen.lift(&mut layer);
            pyramid.invalidate(dirty);

            let mut anew = LabelPyramid::default();
            for level in 0..=3u8 {
                let side = TILE_SIZE << level;
                let places = (0..layer.height().div_ceil(side))
                    .flat_map(|row| (0..layer.width().div_ceil(side)).map(move |col| (col as u32, row as u32)));
                for tile in places.map(|(col, row)| TileId { level, col, row }) {
                    prop_assert_eq!(pyramid.tile(&layer, tile), anew.tile(&layer, tile));
                }
            }
        }
    }
}
