//! Convolution for inference on the CPU: stride 1, same size, bias and ReLU in one pass.
//!
//! Burn's CPU backend multiplies matrices of 512 pixels and sums in another order for the last
//! few, so a pixel's logits depend on where the window ends (2.9e-6 on the sample scene). Here
//! every output is one chain of multiply-adds over (band, row, column) of the kernel, wherever
//! its pixel lies: that is the invariant. Nothing is unrolled into columns: rows with their
//! padding are read in place, from the cache.

use std::sync::Arc;

use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData, activation};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// A convolution's weights in the order in which they are read.
#[derive(Clone, Debug)]
pub(crate) struct CpuConv {
    n_in: usize,
    kernel: [usize; 2],
    dilation: [usize; 2],
    relu: bool,
    blocks: Vec<Block>,
}

/// Output channels that are summed together in registers.
#[derive(Clone, Debug)]
struct Block {
    first: usize,
    bias: Vec<f32>,
    /// `[in, kernel row, kernel col, channel of the block]`
    weights: Vec<f32>,
}

/// 6 channels × 2 vectors of pixels fill the 16 registers of AVX2; larger blocks are no faster
/// with the 32 of AVX-512.
const MAX_BLOCK: usize = 6;
/// Vectors of pixels that are summed together.
const N_VECTORS: usize = 2;
/// Rows of one task: enough to share their padding, few enough to stay in the cache.
const STRIP_ROWS: usize = 8;

impl CpuConv {
    /// `None` on other devices than Burn's CPU backend and for what it does not do: strides,
    /// groups, and kernels of even size.
    pub(crate) fn of(conv: &Conv2d, relu: bool) -> Option<Arc<Self>> {
        let weight = conv.weight.val();
        let [n_out, n_in, height, width] = weight.dims();
        let plain = conv.stride == [1, 1] && conv.groups == 1 && height % 2 == 1 && width % 2 == 1;
        if !plain || !on_cpu(&weight.device()) {
            return None;
        }
        let weights = values(weight);
        let bias = conv.bias.as_ref().map_or_else(|| vec![0.0; n_out], |bias| bias.val().into_data().iter().collect());
        let n_blocks = n_out.div_ceil(MAX_BLOCK);
        let taps = n_in * height * width;
        // Blocks of nearly equal size: a small last one would leave the registers idle.
        let starts: Vec<usize> = (0..=n_blocks).map(|block| block * n_out / n_blocks).collect();
        let blocks = starts.windows(2).map(|range| Block {
            first: range[0],
            bias: bias[range[0]..range[1]].to_vec(),
            weights: (0..taps)
                .flat_map(|tap| (range[0]..range[1]).map(move |out| (tap, out)))
                .map(|(tap, out)| weights[out * taps + tap])
                .collect(),
        });
        Some(Arc::new(Self { n_in, kernel: [height, width], dilation: conv.dilation, relu, blocks: blocks.collect() }))
    }

    /// `[B, C, H, W]` to `[B, K, H, W]`.
    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let device = input.device();
        let [n, n_in, height, width] = input.dims();
        assert_eq!(n_in, self.n_in, "channels of the input");
        let input = values(input);
        let n_out: usize = self.blocks.iter().map(|block| block.bias.len()).sum();
        let mut output = spare::take(n * n_out * height * width);
        let images = input.chunks_exact((n_in * height * width).max(1));
        for (image, output) in images.zip(output.chunks_exact_mut((n_out * height * width).max(1))) {
            self.image(image, output, height, width);
        }
        spare::give(input);
        Tensor::from_data(TensorData::new(output, [n, n_out, height, width]), &device)
    }

    fn image(&self, image: &[f32], output: &mut [f32], height: usize, width: usize) {
        // Strip s of every channel, in one list for the task that fills them.
        let mut strips: Vec<Vec<&mut [f32]>> = (0..height.div_ceil(STRIP_ROWS)).map(|_| Vec::new()).collect();
        for plane in output.chunks_exact_mut(height * width) {
            for (strip, rows) in strips.iter_mut().zip(plane.chunks_mut(STRIP_ROWS * width)) {
                strip.push(rows);
            }
        }
        strips.into_par_iter().enumerate().for_each(|(index, rows)| {
            pulp::Arch::new().dispatch(Strip { conv: self, image, height, width, first_row: index * STRIP_ROWS, rows });
        });
    }

    fn pad(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1) / 2)
    }
}

/// The convolution by the kernel where there is one and no gradient is wanted, else by Burn.
/// With a kernel that has a ReLU, the ReLU is done either way.
pub(crate) fn convolve(conv: &Conv2d, kernel: Option<&Arc<CpuConv>>, input: Tensor<4>) -> Tensor<4> {
    match kernel {
        Some(kernel) if on_cpu(&input.device()) => kernel.forward(input),
        Some(kernel) if kernel.relu => activation::relu(conv.forward(input)),
        _ => conv.forward(input),
    }
}

/// Burn's CPU backend without a graph for gradients.
fn on_cpu(device: &Device) -> bool {
    !device.is_autodiff() && *device == Device::flex()
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("networks compute in float32")
}

/// Some rows of all output channels.
struct Strip<'a> {
    conv: &'a CpuConv,
    /// `[in, row, col]`
    image: &'a [f32],
    height: usize,
    width: usize,
    first_row: usize,
    /// Per channel, `[row, col]`.
    rows: Vec<&'a mut [f32]>,
}

impl WithSimd for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let n_rows = self.rows.first().map_or(0, |rows| rows.len() / self.width);
        let step = N_VECTORS * S::F32_LANES;
        let padded = Padded::new(&self, n_rows, self.width.next_multiple_of(step));
        let mut sums = [[0.0; 64]; MAX_BLOCK];
        for row in 0..n_rows {
            for col in (0..self.width).step_by(step) {
                let n_cols = step.min(self.width - col);
                for block in &self.conv.blocks {
                    match block.bias.len() {
                        1 => self.sum::<S, 1>(simd, block, &padded, row, col, &mut sums),
                        2 => self.sum::<S, 2>(simd, block, &padded, row, col, &mut sums),
                        3 => self.sum::<S, 3>(simd, block, &padded, row, col, &mut sums),
                        4 => self.sum::<S, 4>(simd, block, &padded, row, col, &mut sums),
                        5 => self.sum::<S, 5>(simd, block, &padded, row, col, &mut sums),
                        _ => self.sum::<S, 6>(simd, block, &padded, row, col, &mut sums),
                    }
                    let channels = &mut self.rows[block.first..block.first + block.bias.len()];
                    for (channel, sums) in channels.iter_mut().zip(&sums) {
                        channel[row * self.width + col..][..n_cols].copy_from_slice(&sums[..n_cols]);
                    }
                }
            }
        }
        spare::give(padded.data);
    }
}

impl Strip<'_> {
    /// `N` channels at `N_VECTORS` vectors of pixels, into the first `N` of `sums`.
    #[inline(always)]
    fn sum<S: Simd, const N: usize>(
        &self,
        simd: S,
        block: &Block,
        padded: &Padded,
        row: usize,
        col: usize,
        sums: &mut [[f32; 64]; MAX_BLOCK],
    ) {
        let [kernel_rows, kernel_cols] = self.conv.kernel;
        let [row_step, col_step] = self.conv.dilation;
        let lanes = S::F32_LANES;
        let reach = (kernel_cols - 1) * col_step + N_VECTORS * lanes;
        let mut acc = [[simd.splat_f32s(0.0); N_VECTORS]; N];
        for (acc, bias) in acc.iter_mut().zip(&block.bias) {
            *acc = [simd.splat_f32s(*bias); N_VECTORS];
        }
        let mut weights = block.weights.chunks_exact(N);
        let next_line = row_step * padded.n_cols;
        for plane in padded.data.chunks_exact(padded.n_rows * padded.n_cols) {
            let mut start = row * padded.n_cols + col;
            for _ in 0..kernel_rows {
                let taps = plane[start..start + reach].windows(N_VECTORS * lanes).step_by(col_step);
                for (pixels, weights) in taps.zip(&mut weights) {
                    let (pixels, _) = S::as_simd_f32s(pixels);
                    for (acc, weight) in acc.iter_mut().zip(weights) {
                        let weight = simd.splat_f32s(*weight);
                        for (acc, pixels) in acc.iter_mut().zip(pixels) {
                            *acc = simd.mul_add_e_f32s(weight, *pixels, *acc);
                        }
                    }
                }
                start += next_line;
            }
        }
        for (acc, sums) in acc.iter().zip(sums.iter_mut()) {
            let (vectors, _) = S::as_mut_simd_f32s(&mut sums[..N_VECTORS * lanes]);
            for (vector, acc) in vectors.iter_mut().zip(acc) {
                *vector = if self.conv.relu { simd.max_f32s(*acc, simd.splat_f32s(0.0)) } else { *acc };
            }
        }
    }
}

/// The input rows that a strip reads, with zeros around the image.
struct Padded {
    /// `[in, row, col]`
    data: Vec<f32>,
    n_rows: usize,
    n_cols: usize,
}

impl Padded {
    fn new(strip: &Strip<'_>, n_rows: usize, width_read: usize) -> Self {
        let [pad_rows, pad_cols] = strip.conv.pad();
        let (n_rows, n_cols) = (n_rows + 2 * pad_rows, width_read + 2 * pad_cols);
        let mut data = spare::take(strip.conv.n_in * n_rows * n_cols);
        for (channel, lines) in data.chunks_exact_mut(n_rows * n_cols).enumerate() {
            for (offset, line) in lines.chunks_exact_mut(n_cols).enumerate() {
                let row = (strip.first_row + offset).checked_sub(pad_rows).filter(|row| *row < strip.height);
                let Some(row) = row else {
                    line.fill(0.0);
                    continue;
                };
                let source = &strip.image[(channel * strip.height + row) * strip.width..][..strip.width];
                let (left, rest) = line.split_at_mut(pad_cols);
                let (middle, right) = rest.split_at_mut(strip.width);
                left.fill(0.0);
                middle.copy_from_slice(source);
                right.fill(0.0);
            }
        }
        Self { data, n_rows, n_cols }
    }
}

/// Buffers that were used before, per thread: fresh memory costs a page fault for each 4 KiB,
/// a fifth of all time when each layer of each window asks the system anew.
mod spare {
    use std::cell::RefCell;

    const N_KEPT: usize = 4;

    thread_local! {
        static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
    }

    /// `len` values of any content.
    pub(super) fn take(len: usize) -> Vec<f32> {
        BUFFERS.with_borrow_mut(|buffers| {
            let fits = |buffer: &Vec<f32>| (len..=4 * len.max(1024)).contains(&buffer.capacity());
            let Some(at) = buffers.iter().position(fits) else { return vec![0.0; len] };
            let mut buffer = buffers.swap_remove(at);
            buffer.resize(len, 0.0);
            buffer
        })
    }

    pub(super) fn give(buffer: Vec<f32>) {
        BUFFERS.with_borrow_mut(|buffers| {
            if buffers.len() == N_KEPT {
                buffers.remove(0);
            }
            buffers.push(buffer);
        });
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn equals_burns_convolution_for_all_shapes() {
        let device = Device::flex();
        for (channels, kernel, dilation, size) in [
            ([3, 7], [3, 3], 1, [19, 33]),
            ([2, 1], [9, 9], 1, [12, 10]),
            ([10, 16], [3, 3], 2, [9, 40]),
            ([5, 64], [1, 1], 1, [8, 16]),
            ([1, 13], [5, 3], 1, [1, 1]),
        ] {
            let pad = [0, 1].map(|axis| dilation * (kernel[axis] - 1) / 2);
            let conv = Conv2dConfig::new(channels, kernel)
                .with_dilation([dilation, dilation])
                .with_padding(PaddingConfig2d::Explicit(pad[0], pad[1], pad[0], pad[1]))
                .init(&device);
            let input = Tensor::random([2, channels[0], size[0], size[1]], Distribution::Uniform(-1.0, 1.0), &device);

            let ours = CpuConv::of(&conv, true).expect("plain").forward(input.clone());
            let burns = activation::relu(conv.forward(input));

            let worst: f32 = (ours - burns).abs().max().into_scalar();
            assert!(worst < 1e-5, "{channels:?} {kernel:?}: {worst}");
        }
    }

    #[test]
    fn strides_groups_and_gradients_are_left_to_burn() {
        let config = |stride, groups| {
            let device = Device::flex();
            Conv2dConfig::new([4, 4], [3, 3]).with_stride([stride, stride]).with_groups(groups).init(&device)
        };
        assert!(CpuConv::of(&config(2, 1), false).is_none());
        assert!(CpuConv::of(&config(1, 2), false).is_none());
        assert!(!on_cpu(&Device::flex().autodiff()));
    }
}
