//! State dicts: tensors by the names PyTorch gives them, and their way into and out of Burn
//! modules.
//!
//! Invariant: a tensor's data is as long as the product of its shape.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// One tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
    /// Element type in the file, for example `float16`.
    pub dtype: &'static str,
}

impl StateTensor {
    /// # Panics
    /// If `data` is not as long as `shape` says.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), shape.iter().product::<usize>(), "tensor of shape {shape:?}");
        Self { shape, data, dtype: "float32" }
    }
}

/// Tensors by state-dict name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    pub tensors: BTreeMap<String, StateTensor>,
}

impl StateDict {
    pub fn get(&self, name: &str) -> Option<&StateTensor> {
        self.tensors.get(name)
    }

    /// Number of values that a network learns or measures; counters are left out.
    pub fn n_parameters(&self) -> usize {
        self.tensors.iter().filter(|(name, _)| !is_counter(name)).map(|(_, tensor)| tensor.data.len()).sum()
    }
}

/// How tensors and a network's parameters met.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Parameters without a tensor.
    pub missing: Vec<String>,
    /// Tensors without a parameter; batch counters are not worth telling.
    pub unused: Vec<String>,
    /// Name, shape in the network, shape in the file.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl LoadReport {
    /// What keeps the network from working, one clause each; `None` if nothing does.
    pub fn misfit(&self) -> Option<String> {
        let mut clauses = Vec::new();
        if !self.missing.is_empty() {
            clauses.push(format!("missing {}", listed(&self.missing)));
        }
        if !self.misshapen.is_empty() {
            let shapes: Vec<String> = self
                .misshapen
                .iter()
                .map(|(name, expected, found)| format!("{name} should be {expected:?} and is {found:?}"))
                .collect();
            clauses.push(listed(&shapes));
        }
        (!clauses.is_empty()).then(|| clauses.join("; "))
    }
}

/// The first eight, and how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// BatchNorm's `num_batches_tracked`, which nothing here uses.
pub(crate) fn is_counter(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

/// State-dict name of a module path such as `stage1.conv.weight`.
pub(crate) type NameMap = fn(&str) -> String;

/// Puts the tensors of a state dict into a module, by name.
pub(crate) fn load_module<M: Module>(module: M, state: &StateDict, names: NameMap) -> (M, LoadReport) {
    let mut loader = Loader {
        state,
        place: Place { path: Vec::new(), names },
        used: BTreeSet::new(),
        report: LoadReport::default(),
    };
    let module = module.map(&mut loader);
    let Loader { used, mut report, .. } = loader;
    report.unused = state.tensors.keys().filter(|name| !used.contains(*name) && !is_counter(name)).cloned().collect();
    (module, report)
}

/// The state dict of a module.
pub(crate) fn collect_module<M: Module>(module: &M, names: NameMap) -> StateDict {
    let mut collector = Collector { place: Place { path: Vec::new(), names }, state: StateDict::default() };
    module.visit(&mut collector);
    collector.state
}

/// Where a walk through a module stands.
struct Place {
    path: Vec<String>,
    names: NameMap,
}

impl Place {
    /// Burn's normalisation layers say gamma and beta where PyTorch says weight and bias.
    fn enter(&mut self, name: &str, container: &str) {
        let name = match name {
            "gamma" if container.ends_with("Norm") => "weight",
            "beta" if container.ends_with("Norm") => "bias",
            other => other,
        };
        self.path.push(name.to_owned());
    }

    fn exit(&mut self) {
        self.path.pop();
    }

    fn name(&self) -> String {
        (self.names)(&self.path.join("."))
    }
}

struct Loader<'a> {
    state: &'a StateDict,
    place: Place,
    used: BTreeSet<String>,
    report: LoadReport,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.place.name();
        let shape = param.lazy_shape().to_vec();
        let Some(tensor) = self.state.get(&name) else {
            self.report.missing.push(name);
            return param;
        };
        self.used.insert(name.clone());
        if tensor.shape != shape {
            self.report.misshapen.push((name, shape, tensor.shape.clone()));
            return param;
        }
        let data = TensorData::new(tensor.data.clone(), shape);
        let value = Tensor::from_data(data, &param.lazy_device());
        let id = param.id;
        param.transform_for_load(value, id)
    }
}

struct Collector {
    place: Place,
    state: StateDict,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().to_data();
        let shape = data.shape().to_vec();
        let values = data.iter::<f32>().collect();
        self.state.tensors.insert(self.place.name(), StateTensor::new(shape, values));
    }
}

/// State-dict names of a network's float parameters in the order a visitor meets them.
#[cfg(test)]
pub(crate) fn names_in_order(net: &crate::net::Net, network: &nunatak_domain::model::NetworkConfig) -> Vec<String> {
    struct Names {
        place: Place,
        names: Vec<String>,
    }
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.place.enter(name, container_type);
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.place.exit();
        }
        fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
            self.names.push(self.place.name());
        }
    }
    let mut visitor =
        Names { place: Place { path: Vec::new(), names: crate::net::Net::names(network) }, names: Vec::new() };
    match net {
        crate::net::Net::Ssmgnet(net) => net.visit(&mut visitor),
    }
    visitor.names
}
