//! The device that computes: which adapters there are, which one is taken, and why.
//!
//! Burn's own default would take a software adapter, or panic where there is none; here a
//! missing or software GPU means Burn's CPU backend `flex`.

use std::sync::OnceLock;

use burn::tensor::{Device, DeviceKind};
use nunatak_domain::job::DeviceChoice;

use crate::error::MlError;
use crate::model::LoadedModel;
use crate::net::Net;

/// A graphics adapter as `nunatak info --devices` lists it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AdapterInfo {
    /// What `gpu:N` means.
    pub index: usize,
    pub name: String,
    /// `Vulkan`, `Metal`, `Dx12`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    pub software: bool,
    /// Position among the backend's adapters of the same kind: Burn's way to name one.
    #[serde(skip)]
    nth_of_kind: usize,
}

/// All adapters, in the order that `gpu:N` counts; empty where there are none. Asked once.
pub fn adapters() -> &'static [AdapterInfo] {
    static ADAPTERS: OnceLock<Vec<AdapterInfo>> = OnceLock::new();
    ADAPTERS.get_or_init(enumerate)
}

/// Owns the choice of a device. Lives on the compute lane.
#[derive(Clone, Debug)]
pub struct Engine {
    device: Device,
    description: String,
    remarks: Vec<String>,
    cpu: bool,
}

impl Engine {
    /// # Errors
    /// The adapter asked for does not exist (the sentence lists those that do) or refuses.
    pub fn new(choice: DeviceChoice) -> Result<Self, MlError> {
        // Listing adapters starts the graphics drivers: not for those who do without.
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Auto => Ok(Self::auto(adapters(), opened)),
            DeviceChoice::Gpu(None) => match best(adapters()) {
                Some(adapter) => Self::gpu(adapter, opened),
                None => Err(MlError::Device("no graphics adapter was found; choose cpu".to_owned())),
            },
            DeviceChoice::Gpu(Some(index)) => match adapters().get(index) {
                Some(adapter) => Self::gpu(adapter, opened),
                None => Err(MlError::Device(out_of_range(index, adapters()))),
            },
        }
    }

    /// The best hardware adapter, else the CPU with the reason as a remark.
    fn auto(adapters: &[AdapterInfo], open: impl FnOnce(&AdapterInfo) -> Result<Device, String>) -> Self {
        let Some(adapter) = best(adapters).filter(|adapter| !adapter.software) else {
            return Self::cpu().remark(match adapters.first() {
                Some(adapter) => format!("{} is a software adapter; the CPU backend is faster", adapter.name),
                None => "no graphics adapter was found".to_owned(),
            });
        };
        Self::gpu(adapter, open).unwrap_or_else(|error| Self::cpu().remark(format!("{error}; the CPU is used")))
    }

    pub fn cpu() -> Self {
        let description = format!("CPU (flex, {} threads)", n_threads());
        Self { device: Device::flex(), description, remarks: Vec::new(), cpu: true }
    }

    /// Name and backend: `CPU (flex, 2 threads)`, `NVIDIA H200 (Vulkan)`.
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// Why this device, where that is not obvious.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// How many windows are worth computing at the same time: on the CPU some steps of each
    /// network run on one thread only.
    pub(crate) fn n_workers(&self) -> usize {
        if self.cpu { n_threads().min(MAX_WORKERS) } else { 1 }
    }

    pub(crate) fn network(&self, model: &LoadedModel) -> Result<Net, MlError> {
        Net::for_inference(&model.record.network, &model.state, &self.device)
    }

    /// `open` brings the adapter to compute. A device that was lost stays lost for the process,
    /// and panics when it is used.
    fn gpu(adapter: &AdapterInfo, open: impl FnOnce(&AdapterInfo) -> Result<Device, String>) -> Result<Self, MlError> {
        let refused = |reason: String| MlError::Device(format!("{} refuses to compute ({reason})", adapter.name));
        let device = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| open(adapter)))
            .map_err(|_panic| refused("it was lost; start the program again to use it".to_owned()))?
            .map_err(refused)?;
        let description = format!("{} ({})", adapter.name, adapter.backend);
        let engine = Self { device, description, remarks: Vec::new(), cpu: false };
        Ok(if adapter.software {
            engine.remark(format!("{} is a software adapter; `--device cpu` is faster", adapter.name))
        } else {
            engine
        })
    }

    fn remark(mut self, remark: String) -> Self {
        self.remarks.push(remark);
        self
    }
}

/// More windows at once than this cost more memory than they win time.
const MAX_WORKERS: usize = 4;

fn n_threads() -> usize {
    rayon::current_num_threads()
}

/// Burn's device of an adapter, after it has computed something.
fn opened(adapter: &AdapterInfo) -> Result<Device, String> {
    let kind = match adapter.kind {
        "discrete" => DeviceKind::DiscreteGpu(adapter.nth_of_kind),
        "integrated" => DeviceKind::IntegratedGpu(adapter.nth_of_kind),
        "virtual" => DeviceKind::VirtualGpu(adapter.nth_of_kind),
        "software" => DeviceKind::Cpu,
        _ => return Err("its kind is unknown".to_owned()),
    };
    let api = match adapter.backend.as_str() {
        "Vulkan" => burn::tensor::wgpu::WgpuBackend::Vulkan,
        "Metal" => burn::tensor::wgpu::WgpuBackend::Metal,
        "Dx12" => burn::tensor::wgpu::WgpuBackend::Dx12,
        other => return Err(format!("{other} is not supported")),
    };
    let init = || Device::wgpu_options().device_kind(kind).graphics_api(api).init().map_err(|error| error.to_string());
    let device = shared_device((adapter.backend.clone(), adapter.index), init)?;
    drop(burn::tensor::Tensor::<1>::zeros([1], &device).into_data());
    Ok(device)
}

/// Burn's runtime of an adapter can be initialised once in a process.
fn shared_device(key: (String, usize), init: impl FnOnce() -> Result<Device, String>) -> Result<Device, String> {
    static DEVICES: std::sync::Mutex<Vec<((String, usize), Device)>> = std::sync::Mutex::new(Vec::new());
    let mut devices = DEVICES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, device)) = devices.iter().find(|(known, _)| *known == key) {
        return Ok(device.clone());
    }
    let device = init()?;
    devices.push((key, device.clone()));
    Ok(device)
}

/// Discrete before integrated before virtual before software; the first of equals.
fn best(adapters: &[AdapterInfo]) -> Option<&AdapterInfo> {
    let rank = |adapter: &&AdapterInfo| match adapter.kind {
        "discrete" => 0,
        "integrated" => 1,
        "virtual" => 2,
        "software" => 3,
        _ => 4,
    };
    adapters.iter().min_by_key(rank)
}

fn out_of_range(index: usize, adapters: &[AdapterInfo]) -> String {
    if adapters.is_empty() {
        return format!("there is no adapter {index}: no graphics adapter was found; choose cpu");
    }
    let list: Vec<String> = adapters
        .iter()
        .map(|adapter| format!("gpu:{} {} ({})", adapter.index, adapter.name, adapter.backend))
        .collect();
    format!("there is no adapter {index}; choose one of cpu, {}", list.join(", "))
}

fn enumerate() -> Vec<AdapterInfo> {
    let mut list = Vec::new();
    for backend in [wgpu::Backends::VULKAN, wgpu::Backends::METAL, wgpu::Backends::DX12] {
        let descriptor =
            wgpu::InstanceDescriptor { backends: backend, ..wgpu::InstanceDescriptor::new_without_display_handle() };
        let instance = wgpu::Instance::new(descriptor);
        let mut counts = [0usize; 5];
        for adapter in ready(instance.enumerate_adapters(backend)) {
            let info = adapter.get_info();
            let (kind, slot) = match info.device_type {
                wgpu::DeviceType::DiscreteGpu => ("discrete", 0),
                wgpu::DeviceType::IntegratedGpu => ("integrated", 1),
                wgpu::DeviceType::VirtualGpu => ("virtual", 2),
                wgpu::DeviceType::Cpu => ("software", 3),
                wgpu::DeviceType::Other => ("other", 4),
            };
            list.push(AdapterInfo {
                index: list.len(),
                name: info.name,
                backend: format!("{:?}", info.backend),
                kind,
                software: kind == "software",
                nth_of_kind: counts[slot],
            });
            counts[slot] += 1;
        }
    }
    list
}

/// Outside of browsers wgpu lists adapters without ever waiting.
fn ready<T: Default>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => T::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, kind: &'static str) -> AdapterInfo {
        let name = format!("{kind} {index}");
        let backend = "Vulkan".to_owned();
        AdapterInfo { index, name, backend, kind, software: kind == "software", nth_of_kind: 0 }
    }

    #[test]
    fn a_discrete_adapter_is_better_than_all_others() {
        let adapters =
            [adapter(0, "software"), adapter(1, "integrated"), adapter(2, "discrete"), adapter(3, "discrete")];

        assert_eq!(best(&adapters).map(|adapter| adapter.index), Some(2));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn an_adapter_out_of_range_is_told_with_the_choices() {
        let text = out_of_range(7, &[adapter(0, "integrated")]);

        assert_eq!(text, "there is no adapter 7; choose one of cpu, gpu:0 integrated 0 (Vulkan)");
        assert!(Engine::new(DeviceChoice::Gpu(Some(9999))).is_err());
    }

    #[test]
    fn a_lost_or_unwilling_gpu_means_the_cpu_with_the_reason() {
        let adapters = [adapter(0, "discrete")];

        let lost = Engine::auto(&adapters, |_| panic!("device is lost"));
        let unwilling = Engine::auto(&adapters, |_| Err("out of memory".to_owned()));
        let willing = Engine::auto(&adapters, |_| Ok(Device::flex()));

        assert!(lost.cpu && unwilling.cpu && !willing.cpu);
        assert_eq!(
            lost.remarks(),
            [
                "failed to use the device: discrete 0 refuses to compute (it was lost; start the program again to use it); \
              the CPU is used"
            ]
        );
        assert_eq!(
            unwilling.remarks(),
            ["failed to use the device: discrete 0 refuses to compute (out of memory); the CPU is used"]
        );
        assert_eq!((willing.describe(), willing.remarks()), ("discrete 0 (Vulkan)", [].as_slice()));
        let chosen = Engine::gpu(&adapters[0], |_| panic!("device is lost"));
        assert!(chosen.is_err(), "a GPU that was asked for by name is not replaced in silence");
    }

    #[test]
    fn auto_never_takes_a_software_adapter() {
        let engine = Engine::new(DeviceChoice::Auto).expect("there is always the CPU");

        let hardware = adapters().iter().any(|adapter| !adapter.software);
        assert!(engine.cpu || hardware, "{}", engine.describe());
        assert_eq!(Engine::cpu().describe(), format!("CPU (flex, {} threads)", n_threads()));
    }
}
