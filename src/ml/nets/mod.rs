//! One file per architecture: config, module, initialisation, forward, tests.

pub(crate) mod ssmgnet;
