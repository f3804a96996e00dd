//! SSMGNet: four full-resolution convolution stages, a spatial attention gate, a 1×1 classifier.
//!
//! Written from and checked against `SegModel` in `model/model_spatial_sfcnm.py` of
//! Lecheng-Wang/SSMGNet. The gate is the spatial half of Woo et al., "CBAM: Convolutional Block
//! Attention Module", ECCV 2018, eq. 3. The prior that supervises it: Wang et al.,
//! "Identification of Spectrally Similar Materials From Multispectral Imagery Based on
//! Condition Number of Matrix", IEEE JSTARS 2025, doi 10.1109/JSTARS.2025.3532816.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};
use nunatak_domain::model::SsmgnetConfig;

use crate::cpu_conv::{CpuConv, convolve};
use crate::net::{FeatureTap, NetOutput};
use crate::state::StateDict;

/// See the module's documentation.
#[derive(Module, Debug)]
pub(crate) struct Ssmgnet {
    stage1: Stage,
    stage2: Stage,
    stage3: Stage,
    stage4: Stage,
    gate: SpatialGate,
    head: Conv2d,
    #[module(skip)]
    head_kernel: Option<Arc<CpuConv>>,
}

impl Ssmgnet {
    /// Convolutions Kaiming normal (fan-in, gain √2), biases 0, BatchNorm 1 / 0.
    pub(crate) fn init(config: &SsmgnetConfig, device: &Device) -> Self {
        let width = config.width;
        let stage = |from: usize, to: usize| Stage::init([from, to], config.kernel, config.dilation, device);
        Self {
            stage1: stage(config.bands, width),
            stage2: stage(width, 2 * width),
            stage3: stage(2 * width, 4 * width),
            stage4: stage(4 * width, 4 * width),
            gate: SpatialGate {
                conv: conv([2, 1], config.attention_kernel, 1).with_bias(false).init(device),
                kernel: None,
            },
            head: without_bias_noise(conv([4 * width, config.classes], 1, 1).init(device)),
            head_kernel: None,
        }
    }

    /// `[B, C, H, W]` to logits `[B, K, H, W]` and the map `attention` `[B, 1, H, W]` in (0, 1).
    /// The tap sees the gated feature `[B, 4·width, H, W]`.
    pub(crate) fn forward(&self, image: Tensor<4>, tap: FeatureTap<'_>) -> NetOutput {
        let feature = self.stage4.forward(self.stage3.forward(self.stage2.forward(self.stage1.forward(image))));
        let attention = self.gate.forward(feature.clone());
        let feature = tap(attention.clone() * feature);
        NetOutput {
            logits: convolve(&self.head, self.head_kernel.as_ref(), feature),
            maps: vec![("attention", attention)],
        }
    }

    /// The same function in evaluation mode with each BatchNorm folded into its convolution,
    /// and with our own convolutions on the CPU.
    pub(crate) fn folded(self) -> Self {
        Self {
            gate: SpatialGate { kernel: CpuConv::of(&self.gate.conv, false), ..self.gate },
            head_kernel: CpuConv::of(&self.head, false),
            stage1: self.stage1.folded(),
            stage2: self.stage2.folded(),
            stage3: self.stage3.folded(),
            stage4: self.stage4.folded(),
            ..self
        }
    }
}

/// Convolution without bias, BatchNorm, ReLU; after folding convolution with bias, ReLU.
#[derive(Module, Debug)]
struct Stage {
    conv: Conv2d,
    norm: Option<BatchNorm>,
    /// With the ReLU.
    #[module(skip)]
    kernel: Option<Arc<CpuConv>>,
}

impl Stage {
    fn init(channels: [usize; 2], kernel: usize, dilation: usize, device: &Device) -> Self {
        Self {
            conv: conv(channels, kernel, dilation).with_bias(false).init(device),
            norm: Some(BatchNormConfig::new(channels[1]).init(device)),
            kernel: None,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = convolve(&self.conv, self.kernel.as_ref(), x);
        let x = match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        if self.kernel.is_some() { x } else { activation::relu(x) }
    }

    fn folded(mut self) -> Self {
        let Some(norm) = self.norm.take() else { return self };
        let gain = norm.gamma.val() / (norm.running_var.value() + norm.epsilon).sqrt();
        let bias = norm.beta.val() - norm.running_mean.value() * gain.clone();
        let n_out = gain.dims()[0];
        self.conv.weight = self.conv.weight.map(|weight| weight * gain.reshape([n_out, 1, 1, 1]));
        self.conv.bias = Some(Param::from_tensor(bias));
        self.kernel = CpuConv::of(&self.conv, true);
        self
    }
}

/// Attention from the channels' maximum and mean (in this order): `[B, C, H, W]` to `[B, 1, H, W]`.
#[derive(Module, Debug)]
struct SpatialGate {
    conv: Conv2d,
    #[module(skip)]
    kernel: Option<Arc<CpuConv>>,
}

impl SpatialGate {
    fn forward(&self, feature: Tensor<4>) -> Tensor<4> {
        let pooled = Tensor::cat(vec![feature.clone().max_dim(1), feature.mean_dim(1)], 1);
        activation::sigmoid(convolve(&self.conv, self.kernel.as_ref(), pooled))
    }
}

/// A convolution that keeps height and width.
fn conv(channels: [usize; 2], kernel: usize, dilation: usize) -> Conv2dConfig {
    let pad = dilation * (kernel - 1) / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_dilation([dilation, dilation])
        .with_initializer(Initializer::KaimingNormal { gain: std::f64::consts::SQRT_2, fan_out_only: false })
}

/// Burn draws biases from the weights' initialiser; the original sets them to 0.
fn without_bias_noise(mut conv: Conv2d) -> Conv2d {
    conv.bias = conv.bias.map(|bias| bias.map(|value| value.zeros_like()));
    conv
}

/// `stage1.conv.weight` is `stage1.0.weight` in the original's state dict, and so on.
pub(crate) fn state_name(path: &str) -> String {
    let (part, rest) = path.split_once('.').unwrap_or((path, ""));
    match part {
        "gate" => format!("sa_module4.{rest}"),
        "head" => format!("final.{rest}"),
        stage => format!("{stage}.{}", rest.replacen("conv.", "0.", 1).replacen("norm.", "1.", 1)),
    }
}

/// Bands, classes, width and kernels as the shapes say; `None` if this is another network.
/// The dilation leaves no trace in the shapes and is taken to be 1.
pub(crate) fn recognise(state: &StateDict) -> Option<SsmgnetConfig> {
    let shape = |name: &str| state.get(name).map(|tensor| tensor.shape.as_slice());
    let (Some(&[width, bands, kernel, _]), Some(&[classes, ..])) = (shape("stage1.0.weight"), shape("final.weight"))
    else {
        return None;
    };
    let Some(&[_, _, attention_kernel, _]) = shape("sa_module4.conv.weight") else { return None };
    Some(SsmgnetConfig { bands, classes, width, kernel, dilation: 1, attention_kernel })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use burn::nn::loss::CrossEntropyLossConfig;
    use burn::optim::GradientsParams;
    use burn::tensor::{Int, TensorData};
    use nunatak_domain::job::DeviceChoice;
    use nunatak_domain::model::NetworkConfig;
    use serde_json::Value;

    use super::*;
    use crate::engine::{Engine, adapters};
    use crate::net::Net;
    use crate::testing;

    fn golden() -> Value {
        let text = fs::read_to_string(testing::tests_dir("goldens").join("ssmgnet-10ch.json")).expect("golden");
        serde_json::from_str(&text).expect("JSON")
    }

    fn golden_state(golden: &Value) -> StateDict {
        let mut state = StateDict::default();
        for entry in golden["params"].as_array().expect("params") {
            let name = entry[0].as_str().expect("name");
            let shape: Vec<usize> = serde_json::from_value(entry[1].clone()).expect("shape");
            state.tensors.insert(name.to_owned(), testing::weight(name, &shape));
        }
        state
    }

    fn named_input(shape: [usize; 4], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(testing::input("input", shape.iter().product()), shape), device)
    }

    /// Largest |ours − theirs| in units of the tolerance 1e-3·std + 1e-5.
    fn worst(output: &Value, ours: &Tensor<4>) -> f64 {
        let shape: Vec<usize> = serde_json::from_value(output["shape"].clone()).expect("shape");
        assert_eq!(ours.dims().to_vec(), shape);
        let values: Vec<f32> = ours.to_data().iter::<f32>().collect();
        let tolerance = 1e-3 * output["std"].as_f64().expect("std") + 1e-5;
        let samples = output["samples"].as_array().expect("samples");
        samples
            .iter()
            .map(|sample| {
                let index = sample[0].as_u64().expect("index") as usize;
                (f64::from(values[index]) - sample[1].as_f64().expect("value")).abs() / tolerance
            })
            .fold(0.0, f64::max)
    }

    /// The three outputs of the original: logits, gated feature, attention.
    fn outputs(net: &Net, image: Tensor<4>) -> [Tensor<4>; 3] {
        let mut feature = None;
        let output = net.forward_tapped(image, &mut |tapped| {
            feature = Some(tapped.clone());
            tapped
        });
        let attention = output.map("attention").expect("attention").clone();
        [output.logits, feature.expect("tapped"), attention]
    }

    #[test]
    fn outputs_equal_the_originals() {
        let (golden, device) = (golden(), Device::flex());
        let state = golden_state(&golden);
        let network = NetworkConfig::Ssmgnet(recognise(&state).expect("SSMGNet"));
        let (net, report) = Net::load(&network, &state, &device);
        assert_eq!((report.misfit(), report.unused), (None, vec![]));
        let folded = Net::for_inference(&network, &state, &device).expect("fits");

        for (index, expected) in golden["eval"].as_array().expect("eval").iter().enumerate() {
            for net in [&net, &folded] {
                let worst = worst(expected, &outputs(net, named_input([1, 10, 64, 64], &device))[index]);
                eprintln!("output {index}: {worst:.4} of the tolerance");
                assert!(worst < 1.0);
            }
        }
    }

    #[test]
    fn loss_and_gradients_equal_the_originals() {
        let golden = golden();
        let device = Device::flex().autodiff();
        let state = golden_state(&golden);
        let network = NetworkConfig::Ssmgnet(SsmgnetConfig::new(10, 3));
        let (net, _) = Net::load(&network, &state, &device);
        let labels = testing::uniform("target", 2 * 64 * 64).into_iter().map(|u| (u * 3.0).floor() as i64).collect();

        let found = outputs(&net, named_input([2, 10, 64, 64], &device));
        let logits = found[0].clone().permute([0, 2, 3, 1]).reshape([2 * 64 * 64, 3]);
        let target = Tensor::<1, Int>::from_data(TensorData::new::<i64, _>(labels, [2 * 64 * 64]), &device);
        let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, target);

        for (expected, ours) in golden["train"]["outputs"].as_array().expect("outputs").iter().zip(&found) {
            let worst = worst(expected, ours);
            eprintln!("train output: {worst:.4} of the tolerance");
            assert!(worst < 1.0);
        }
        let expected = golden["train"]["loss"].as_f64().expect("loss");
        let value: f64 = loss.clone().into_scalar::<f32>().into();
        assert!((value - expected).abs() < 1e-4 * expected, "{value} and {expected}");
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        let norms = norms(&net, &network, &gradients);
        for entry in golden["train"]["grads"].as_array().expect("grads") {
            let (name, expected) = (entry[0].as_str().expect("name"), entry[1].as_f64().expect("norm"));
            let ours = norms[name];
            eprintln!("{name}: {ours:.6} and {expected:.6}");
            assert!((ours - expected).abs() <= 0.01 * expected, "{name}: {ours} and {expected}");
        }
    }

    /// L2 norm of each parameter's gradient by state-dict name.
    fn norms(
        net: &Net,
        network: &NetworkConfig,
        gradients: &GradientsParams,
    ) -> std::collections::BTreeMap<String, f64> {
        use burn::module::{ModuleVisitor, Param};
        struct Norms<'a> {
            gradients: &'a GradientsParams,
            norms: Vec<Option<f64>>,
        }
        impl ModuleVisitor for Norms<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let gradient = self.gradients.get::<D>(param.id);
                self.norms.push(gradient.map(|gradient| {
                    gradient.into_data().iter::<f32>().map(|g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt()
                }));
            }
        }
        let mut visitor = Norms { gradients, norms: Vec::new() };
        net.visit(&mut visitor);
        let names = crate::state::names_in_order(net, network);
        names.into_iter().zip(visitor.norms).filter_map(|(name, norm)| Some((name, norm?))).collect()
    }

    #[test]
    fn initial_biases_are_zero_and_names_are_the_originals() {
        let network = NetworkConfig::Ssmgnet(SsmgnetConfig::new(10, 3));
        let state = Net::init(&network, &Device::flex()).state_dict(&network);
        let golden = golden();

        let expected: Vec<&str> =
            golden["params"].as_array().expect("params").iter().filter_map(|p| p[0].as_str()).collect();
        for name in expected.iter().filter(|name| !name.ends_with("num_batches_tracked")) {
            assert!(state.get(name).is_some(), "{name}");
        }
        assert_eq!(state.get("final.bias").expect("bias").data, [0.0; 3]);
        let n_trained = state.tensors.iter().filter(|(name, _)| !name.contains("running")).map(|(_, t)| t.data.len());
        assert_eq!(n_trained.sum::<usize>(), 62_053);
    }

    #[test]
    fn a_graphics_adapter_gives_the_cpus_logits() {
        // Any adapter, or a GPU with `NUNATAK_ADAPTER=hardware` (docs/gpu.md).
        let hardware = std::env::var_os("NUNATAK_ADAPTER").is_some_and(|value| value == "hardware");
        let Some(adapter) = adapters().iter().find(|adapter| !(hardware && adapter.software)) else {
            let required = std::env::var_os("REQUIRE_GPU").is_some_and(|value| value == "1");
            assert!(!required, "no graphics adapter");
            eprintln!("skipped: no graphics adapter");
            return;
        };
        let engine = Engine::new(DeviceChoice::Gpu(Some(adapter.index))).expect("adapter");
        let model = testing::named_model(SsmgnetConfig { width: 2, ..SsmgnetConfig::new(3, 2) });
        let on = |engine: &Engine| {
            let net = engine.network(&model).expect("fits");
            let output = net.forward(named_input([1, 3, 12, 10], engine.device()));
            output.logits.into_data().iter::<f32>().collect::<Vec<f32>>()
        };

        let (gpu, cpu) = (on(&engine), on(&Engine::cpu()));

        let worst = gpu.iter().zip(&cpu).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        eprintln!("{}: largest difference {worst:e}", engine.describe());
        assert!(worst < 1e-4);
    }
}
