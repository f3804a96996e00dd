//! Which network: dispatch from a record's `NetworkConfig` to an architecture.
//!
//! Everything that walks scenes or trains sees only [`Net`]: logits, named maps beside them,
//! and one place where a feature can be looked at or cut loose (for Grad-CAM).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nunatak_domain::model::NetworkConfig;

use crate::error::MlError;
use crate::nets::ssmgnet::{self, Ssmgnet};
use crate::state::{self, LoadReport, NameMap, StateDict};

/// Called with the feature that Grad-CAM explains; the network goes on with what it returns.
pub(crate) type FeatureTap<'a> = &'a mut dyn FnMut(Tensor<4>) -> Tensor<4>;

/// What a network gives for `[B, C, H, W]`.
pub(crate) struct NetOutput {
    /// `[B, K, H, W]`
    pub(crate) logits: Tensor<4>,
    /// Named maps `[B, 1, H, W]`, for example `attention`.
    pub(crate) maps: Vec<(&'static str, Tensor<4>)>,
}

impl NetOutput {
    pub(crate) fn map(&self, name: &str) -> Option<&Tensor<4>> {
        self.maps.iter().find(|(known, _)| *known == name).map(|(_, map)| map)
    }
}

#[derive(Module, Debug)]
pub(crate) enum Net {
    Ssmgnet(Ssmgnet),
}

impl Net {
    /// Freshly initialised.
    pub(crate) fn init(config: &NetworkConfig, device: &Device) -> Self {
        match config {
            NetworkConfig::Ssmgnet(config) => Self::Ssmgnet(Ssmgnet::init(config, device)),
        }
    }

    /// A network with the tensors of a state dict, and how they met. What is missing or
    /// misshapen keeps its initial values: the caller decides whether that will do.
    pub(crate) fn load(config: &NetworkConfig, state: &StateDict, device: &Device) -> (Self, LoadReport) {
        let names = Self::names(config);
        match Self::init(config, device) {
            Self::Ssmgnet(net) => {
                let (net, report) = state::load_module(net, state, names);
                (Self::Ssmgnet(net), report)
            }
        }
    }

    /// For evaluation: fewer operations, the same function.
    ///
    /// # Errors
    /// Tensors are missing or misshapen.
    pub(crate) fn for_inference(config: &NetworkConfig, state: &StateDict, device: &Device) -> Result<Self, MlError> {
        let (net, report) = Self::load(config, state, device);
        if let Some(reason) = report.misfit() {
            return Err(MlError::Misfit { network: config.name(), reason });
        }
        Ok(match net {
            Self::Ssmgnet(net) => Self::Ssmgnet(net.folded()),
        })
    }

    pub(crate) fn forward(&self, image: Tensor<4>) -> NetOutput {
        self.forward_tapped(image, &mut |feature| feature)
    }

    pub(crate) fn forward_tapped(&self, image: Tensor<4>, tap: FeatureTap<'_>) -> NetOutput {
        match self {
            Self::Ssmgnet(net) => net.forward(image, tap),
        }
    }

    /// The tensors by the names of the original implementation.
    #[cfg_attr(not(test), expect(dead_code, reason = "training will save through it"))]
    pub(crate) fn state_dict(&self, config: &NetworkConfig) -> StateDict {
        let names = Self::names(config);
        match self {
            Self::Ssmgnet(net) => state::collect_module(net, names),
        }
    }

    pub(crate) const fn names(config: &NetworkConfig) -> NameMap {
        match config {
            NetworkConfig::Ssmgnet(_) => ssmgnet::state_name,
        }
    }
}

/// The network that has these tensors; `None` if none of ours does.
pub(crate) fn recognise(state: &StateDict) -> Option<NetworkConfig> {
    ssmgnet::recognise(state).map(NetworkConfig::Ssmgnet)
}
