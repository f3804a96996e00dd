//! Look-up tables from [0, 1] to colour, shared by screen, legend and export.

use serde::{Deserialize, Serialize};

/// The colormaps on offer. Viridis, magma, inferno and cividis are matplotlib's (CC0) and
/// turbo is by Mikhailov (2019), each sampled at a few anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColormapName {
    Gray,
    Viridis,
    Magma,
    Inferno,
    Cividis,
    Turbo,
    /// Blue – white – red, for values around a middle.
    RdBu,
    /// Brown – yellow – green, for vegetation indices.
    Vegetation,
}

impl ColormapName {
    pub const ALL: [Self; 8] = [
        Self::Gray,
        Self::Viridis,
        Self::Magma,
        Self::Inferno,
        Self::Cividis,
        Self::Turbo,
        Self::RdBu,
        Self::Vegetation,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Gray => "Gray",
            Self::Viridis => "Viridis",
            Self::Magma => "Magma",
            Self::Inferno => "Inferno",
            Self::Cividis => "Cividis",
            Self::Turbo => "Turbo",
            Self::RdBu => "Red–blue",
            Self::Vegetation => "Vegetation",
        }
    }

    /// Anchor colours, evenly spaced over [0, 1].
    const fn anchors(self) -> &'static [[u8; 3]] {
        match self {
            Self::Gray => &[[0, 0, 0], [255, 255, 255]],
            Self::Viridis => &[
                [68, 1, 84],
                [71, 44, 122],
                [59, 81, 139],
                [44, 113, 142],
                [33, 144, 141],
                [39, 173, 129],
                [92, 200, 99],
                [170, 220, 50],
                [253, 231, 37],
            ],
            Self::Magma => &[
                [0, 0, 4],
                [28, 16, 68],
                [79, 18, 123],
                [129, 37, 129],
                [181, 54, 122],
                [229, 80, 100],
                [251, 135, 97],
                [254, 194, 135],
                [252, 253, 191],
            ],
            Self::Inferno => &[
                [0, 0, 4],
                [31, 12, 72],
                [85, 15, 109],
                [136, 34, 106],
                [186, 54, 85],
                [227, 89, 51],
                [249, 140, 10],
                [249, 201, 50],
                [252, 255, 164],
            ],
            Self::Cividis => &[
                [0, 34, 78],
                [18, 53, 112],
                [59, 73, 108],
                [87, 93, 109],
                [112, 113, 115],
                [138, 134, 120],
                [165, 156, 116],
                [195, 179, 105],
                [225, 204, 85],
                [253, 231, 55],
            ],
            Self::Turbo => &[
                [48, 18, 59],
                [70, 107, 227],
                [40, 187, 236],
                [49, 242, 153],
                [162, 252, 60],
                [237, 208, 58],
                [251, 128, 34],
                [210, 49, 5],
                [122, 4, 3],
            ],
            Self::RdBu => &[
                [5, 48, 97],
                [67, 147, 195],
                [209, 229, 240],
                [247, 247, 247],
                [253, 219, 199],
                [214, 96, 77],
                [103, 0, 31],
            ],
            Self::Vegetation => {
                &[[140, 81, 10], [216, 179, 101], [246, 232, 195], [199, 234, 130], [77, 172, 38], [0, 68, 27]]
            }
        }
    }

    /// Colour at `t`, clamped to [0, 1]; linear between anchors in sRGB.
    pub fn color(self, t: f64) -> [u8; 3] {
        let anchors = self.anchors();
        let at = t.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
        let low = (at.floor() as usize).min(anchors.len() - 2);
        let fraction = at - low as f64;
        std::array::from_fn(|channel| {
            let (a, b) = (f64::from(anchors[low][channel]), f64::from(anchors[low + 1][channel]));
            (a + (b - a) * fraction).round() as u8
        })
    }

    /// 256 RGBA entries, entry i at `i / 255`.
    pub fn table(self) -> Vec<[u8; 4]> {
        (0..256)
            .map(|i| {
                let [r, g, b] = self.color(f64::from(i) / 255.0);
                [r, g, b, 255]
            })
            .collect()
    }
}
