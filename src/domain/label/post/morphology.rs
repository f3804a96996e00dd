//! Morphology of one class.

use serde::{Deserialize, Serialize};

use crate::class::ClassId;
use crate::grid::PixelRect;
use crate::label::layer::LabelLayer;
use crate::label::mask::{PixelMask, PixelRun};
use crate::label::pen::{LabelPen, PaintRule, Target};
use crate::label::{LabelError, Progress};

/// Rows that are worked on at a time.
const STRIP_ROWS: usize = 512;

/// What is done to the area of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Morphology {
    /// Takes the border away.
    Erode,
    /// Adds a border.
    Dilate,
    /// Erode, then dilate: takes thin parts and specks away.
    Open,
    /// Dilate, then erode: closes gaps and holes.
    Close,
}

/// The neighbourhood; all of them within `radius_px`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
pub enum Element {
    Square {
        radius_px: u32,
    },
    /// Pixels whose centres are within the radius.
    Disc {
        radius_px: u32,
    },
    /// Pixels in that many steps over common edges.
    Diamond {
        radius_px: u32,
    },
}

impl Element {
    const fn radius_px(self) -> u32 {
        match self {
            Self::Square { radius_px } | Self::Disc { radius_px } | Self::Diamond { radius_px } => radius_px,
        }
    }

    /// How far it reaches sideways, `down` rows from its centre.
    fn reach(self, down: u32) -> u32 {
        match self {
            Self::Square { radius_px } => radius_px,
            Self::Disc { radius_px } => (u64::from(radius_px).pow(2) - u64::from(down).pow(2)).isqrt() as u32,
            Self::Diamond { radius_px } => radius_px - down,
        }
    }
}

/// Changes the area of a class. Pixels that it loses are unlabelled; it wins pixels as `onto`
/// says, those of other classes included for [`Target::Any`]. Beyond the scene's edge the area
/// goes on as it is at the edge, so that nothing is eroded there.
///
/// Costs the radius × the runs of the class.
///
/// # Errors
/// Cancelled.
pub fn morphology(
    layer: &LabelLayer,
    class: ClassId,
    operation: Morphology,
    element: Element,
    onto: Target,
    progress: &mut Progress<'_>,
) -> Result<LabelLayer, LabelError> {
    let mut result = layer.clone();
    let mut pen = LabelPen::default();
    let n_steps = match operation {
        Morphology::Erode | Morphology::Dilate => 1,
        Morphology::Open | Morphology::Close => 2,
    };
    let reach = (element.radius_px() as usize).saturating_mul(n_steps);
    for top in (0..layer.height()).step_by(STRIP_ROWS) {
        if !progress(top as f32 / layer.height() as f32) {
            return Err(LabelError::Cancelled);
        }
        let strip = PixelRect::new(0, top, layer.width(), STRIP_ROWS.min(layer.height() - top));
        let around = strip.grown(reach, layer.width(), layer.height());
        let before = PixelMask::of_class(layer, class, around);
        if before.is_empty() {
            continue;
        }
        let after = match operation {
            Morphology::Erode => eroded(&before, element, around),
            Morphology::Dilate => dilated(&before, element, around),
            Morphology::Open => dilated(&eroded(&before, element, around), element, around),
            Morphology::Close => eroded(&dilated(&before, element, around), element, around),
        };
        let (before, after) = (before.clipped(strip), after.clipped(strip));
        let lost = PaintRule { class: None, onto: Target::Class { class } };
        pen.paint_mask(&mut result, &before.difference(&after), lost);
        pen.paint_mask(&mut result, &after.difference(&before), PaintRule { class: Some(class), onto });
    }
    pen.lift(&mut result);
    Ok(result)
}

/// All pixels of `bounds` that the element reaches from some pixel of the mask.
pub fn dilated(mask: &PixelMask, element: Element, bounds: PixelRect) -> PixelMask {
    let radius = element.radius_px();
    // Row by row; the sort in `from_runs` merges sequences that are sorted already.
    let mut runs = Vec::with_capacity(mask.runs().len() * (2 * radius as usize + 1));
    for offset in -i64::from(radius)..=i64::from(radius) {
        let reach = u64::from(element.reach(offset.unsigned_abs() as u32));
        for run in mask.runs() {
            let row = i64::from(run.0) + offset;
            if row < bounds.row as i64 || row >= bounds.bottom() as i64 {
                continue;
            }
            let start = u64::from(run.1).saturating_sub(reach).max(bounds.col as u64);
            let end = (u64::from(run.1) + u64::from(run.2) + reach).min(bounds.right() as u64);
            if start < end {
                runs.push(PixelRun(row as u32, start as u32, (end - start) as u32));
            }
        }
    }
    PixelMask::from_runs(runs)
}

/// The pixels of the mask from which the element reaches no pixel of `bounds` outside of it.
pub fn eroded(mask: &PixelMask, element: Element, bounds: PixelRect) -> PixelMask {
    let outside = PixelMask::of_rect(bounds).difference(mask);
    mask.difference(&dilated(&outside, element, bounds))
}
