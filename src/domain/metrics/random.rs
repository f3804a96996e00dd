//! Numbers that look random and are the same on every machine, computed from where they are
//! needed rather than drawn in sequence: no order of windows or threads changes them.

/// Steele, Lea & Flood (2014), *Fast splittable pseudorandom number generators*: the finaliser
/// of SplitMix64, a bijection of 64-bit numbers.
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key of `index` (a pixel, a block) under a seed. Different indices have different keys.
pub(super) const fn key(seed: u64, index: u64) -> u64 {
    mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(index.wrapping_mul(GOLDEN)))
}
