//! A model: a network's tensors with the record of what they need to know about data.

use std::fs;
use std::path::{Path, PathBuf};

use nunatak_domain::model::{ModelRecord, NetworkConfig, Normalisation, RECORD_FORMAT, RECORD_VERSION};

use crate::error::MlError;
use crate::net;
use crate::safetensors_file;
use crate::state::{StateDict, listed};
use crate::weights::{self, WeightFile};

/// Weights that fit their network, in memory and on no device yet.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedModel {
    pub state: StateDict,
    pub record: ModelRecord,
    /// What a careful person should know: one sentence each.
    pub remarks: Vec<String>,
}

/// Reads weights and record, and checks one against the other.
///
/// The network, bands, classes, width and kernels come from the tensors' names and shapes; the
/// record from the file's metadata, else from the JSON beside it, else it is inferred.
///
/// # Errors
/// Unreadable file, unknown network, missing or misshapen tensors (by name, with both shapes),
/// or a record that contradicts the tensors.
pub fn load_network(path: &Path) -> Result<LoadedModel, MlError> {
    let WeightFile { state, record_json, mut remarks } = weights::read_weights(path)?;
    let found = net::recognise(&state);
    let record = match record_json {
        Some(text) => Some((text, path.to_owned())),
        None => beside(path)?,
    };
    let record = match (record, found) {
        (Some((text, source)), _) => parse_record(&text, &source)?,
        (None, Some(network)) => {
            if let Some(reason) = impossible(&network) {
                return Err(MlError::Unrecognised { reason, path: path.to_owned() });
            }
            remarks.push(format!(
                "no model record: band names, normalisation and class names are unknown; {} bands and {} classes by the shapes",
                network.n_bands(),
                network.n_classes()
            ));
            ModelRecord::inferred(network, path.file_name().unwrap_or_default().to_string_lossy())
        }
        (None, None) => {
            let names: Vec<String> = state.tensors.keys().cloned().collect();
            let reason = format!("none of the known networks has the tensors {}", listed(&names));
            return Err(MlError::Unrecognised { reason, path: path.to_owned() });
        }
    };
    let device = burn::tensor::Device::flex();
    let (_, report) = net::Net::load(&record.network, &state, &device);
    if let Some(reason) = report.misfit() {
        let reason = format!("{reason}: {}", path.display());
        return Err(MlError::Misfit { network: record.network.name(), reason });
    }
    if !report.unused.is_empty() {
        remarks.push(format!("{} tensors are not used: {}", report.unused.len(), listed(&report.unused)));
    }
    if let Some((name, tensor)) = state.tensors.iter().find(|(_, t)| t.data.iter().any(|value| !value.is_finite())) {
        remarks.push(format!("tensor `{name}` of shape {:?} holds values that are not finite", tensor.shape));
    }
    if let Some(tensor) = state.tensors.values().find(|t| t.dtype.contains("float") && t.dtype != "float32") {
        remarks.push(format!("weights of type {} are computed with as float32", tensor.dtype));
    }
    Ok(LoadedModel { state, record, remarks })
}

/// The bytes of a safetensors file that PyTorch reads by the same names, record included.
///
/// The record also belongs beside the file, at [`record_path`], as [`record_json`] writes it.
pub fn save_safetensors_bytes(state: &StateDict, record: &ModelRecord) -> Vec<u8> {
    let text = serde_json::to_string(record).expect("a record has only JSON types");
    safetensors_file::bytes(state, &text)
}

/// The record for the file beside the weights.
pub fn record_json(record: &ModelRecord) -> String {
    let mut text = serde_json::to_string_pretty(record).expect("a record has only JSON types");
    text.push('\n');
    text
}

/// Where the record lies beside a weight file: `glacier.json` for `glacier.safetensors`.
pub fn record_path(path: &Path) -> PathBuf {
    path.with_extension("json")
}

/// A JSON of that name that is not a record is somebody else's and is left alone.
fn beside(path: &Path) -> Result<Option<(String, PathBuf)>, MlError> {
    let record = record_path(path);
    match fs::read_to_string(&record) {
        Ok(text) if text.contains(RECORD_FORMAT) => Ok(Some((text, record))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(MlError::Weights { reason: format!("its record cannot be read ({error})"), path: record }),
    }
}

fn parse_record(text: &str, source: &Path) -> Result<ModelRecord, MlError> {
    let fail = |reason: String| MlError::Weights { reason, path: source.to_owned() };
    let record: ModelRecord =
        serde_json::from_str(text).map_err(|error| fail(format!("its record is not valid ({error})")))?;
    if record.format != RECORD_FORMAT {
        return Err(fail(format!("its record says format `{}` and not `{RECORD_FORMAT}`", record.format)));
    }
    if record.version > RECORD_VERSION {
        return Err(fail(format!(
            "its record has version {} and this program knows up to {RECORD_VERSION}",
            record.version
        )));
    }
    contradiction(&record).map_or(Ok(()), |reason| Err(fail(reason)))?;
    Ok(record)
}

/// Sizes that no network has.
fn impossible(network: &NetworkConfig) -> Option<String> {
    let NetworkConfig::Ssmgnet(network) = network;
    let sizes =
        [network.bands, network.classes, network.width, network.kernel, network.dilation, network.attention_kernel];
    if sizes.contains(&0) || sizes.iter().any(|size| *size > 1 << 16) {
        return Some("a size of the network is 0 or beyond 65536".to_owned());
    }
    if network.kernel % 2 == 0 || network.attention_kernel % 2 == 0 {
        return Some("the network has an even kernel".to_owned());
    }
    None
}

/// What in a record cannot be true.
fn contradiction(record: &ModelRecord) -> Option<String> {
    if let Some(reason) = impossible(&record.network) {
        return Some(reason);
    }
    let (n_bands, n_classes) = (record.network.n_bands(), record.network.n_classes());
    if record.bands.len() != n_bands {
        return Some(format!("its record names {} bands for a network of {n_bands}", record.bands.len()));
    }
    if record.classes.classes.len() != n_classes {
        return Some(format!("its record names {} classes for a network of {n_classes}", record.classes.classes.len()));
    }
    if let Normalisation::ScaleOffset { scale, offset } = &record.normalisation
        && (scale.len() != n_bands || offset.len() != n_bands)
    {
        return Some(format!("its record normalises {} bands of {n_bands}", scale.len().min(offset.len())));
    }
    if let Some(references) = &record.references
        && references.spectra.iter().any(|spectrum| spectrum.len() != n_bands)
    {
        return Some(format!("its record has reference spectra that are not {n_bands} bands long"));
    }
    None
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "files of a test are nobody's output")]
mod tests {
    use nunatak_domain::model::SsmgnetConfig;

    use super::*;
    use crate::testing;

    fn fixture(name: &str) -> PathBuf {
        testing::tests_dir("fixtures/weights").join(name)
    }

    fn message(name: &str) -> String {
        let text = load_network(&fixture(name)).expect_err(name).to_string();
        eprintln!("{name}: {text}");
        text
    }

    /// The fixtures' network, made from names.
    fn expected() -> LoadedModel {
        testing::named_model(SsmgnetConfig { width: 2, ..SsmgnetConfig::new(2, 3) })
    }

    fn worst(state: &StateDict) -> f32 {
        let expected = expected().state;
        let names: Vec<&String> = state.tensors.keys().filter(|name| !crate::state::is_counter(name)).collect();
        assert_eq!(names, expected.tensors.keys().collect::<Vec<_>>());
        let differences = expected.tensors.iter().flat_map(|(name, ours)| {
            let theirs = &state.tensors[name];
            assert_eq!(ours.shape, theirs.shape, "{name}");
            ours.data.iter().zip(&theirs.data).map(|(a, b)| (a - b).abs())
        });
        differences.fold(0.0, f32::max)
    }

    #[test]
    fn every_format_gives_the_same_tensors() {
        for name in [
            "zip.pth",
            "legacy.pth",
            "wrapped.pth",
            "wrapped_module.pth",
            "module.pth",
            "strided.pth",
            "float64.pth",
            "whole_module.pth",
            "plain.safetensors",
        ] {
            let model = load_network(&fixture(name)).expect(name);

            assert_eq!(worst(&model.state), 0.0, "{name}");
            assert_eq!(model.record.network, expected().record.network, "{name}");
            assert_eq!(model.record.classes.classes.len(), 3);
        }
    }

    #[test]
    fn half_precision_is_read_and_told() {
        for (name, tolerance) in [("float16", 1e-3), ("bfloat16", 1e-2)] {
            let model = load_network(&fixture(&format!("{name}.pth"))).expect(name);

            assert!(worst(&model.state) < tolerance, "{name}");
            assert!(model.remarks.iter().any(|remark| remark.contains(name)), "{:?}", model.remarks);
        }
    }

    #[test]
    fn missing_and_misshapen_tensors_are_named_with_their_shapes() {
        let missing = message("missing.pth");
        assert!(
            missing.contains("missing") && missing.contains("stage2.1.running_var") && missing.contains("final.bias")
        );

        let misshapen = message("misshapen.pth");
        assert!(misshapen.contains("stage3.0.weight should be [8, 4, 3, 3] and is [8, 5, 3, 3]"));
    }

    #[test]
    fn unused_and_foreign_entries_are_remarks() {
        let unused = load_network(&fixture("unused.pth")).expect("loads");
        assert!(
            unused.remarks.iter().any(|remark| remark == "2 tensors are not used: aux.bias, aux.weight"),
            "{:?}",
            unused.remarks
        );

        let foreign = load_network(&fixture("foreign.pth")).expect("loads");
        assert!(
            foreign.remarks.iter().any(|remark| remark.contains("complex") && remark.contains("`when`")),
            "{:?}",
            foreign.remarks
        );

        let wrapped = load_network(&fixture("wrapped.pth")).expect("loads");
        assert!(wrapped.remarks.iter().any(|remark| remark.contains("took `state_dict`")), "{:?}", wrapped.remarks);
    }

    #[test]
    fn a_pickle_that_calls_the_system_is_refused_and_nothing_runs() {
        for (name, call) in [
            ("malicious.pth", "posix.system"),
            ("malicious_zip.pth", "builtins.eval"),
            ("malicious_root.pth", "posix.system"),
            ("malicious_dropped.pth", "posix.system"),
            ("malicious_stack.pth", "posix.system"),
        ] {
            let text = message(name);
            let python2 = call.replace("builtins", "__builtin__");
            assert!(text.contains(call) || text.contains(&python2), "{text}");
            assert!(text.contains("nothing was run"), "{text}");
        }
        assert!(!Path::new("nunatak-was-here").exists());
    }

    #[test]
    fn broken_files_are_sentences() {
        for name in [
            "truncated.pth",
            "truncated_legacy.pth",
            "truncated.safetensors",
            "absurd_header.safetensors",
            "huge_view.pth",
            "deep.pth",
            "big_endian.pth",
            "text.pth",
            "empty.pth",
            "no_tensors.pth",
            "single_tensor.pth",
            "other_network.pth",
            "not_there.pth",
        ] {
            let text = message(name);
            assert!(text.ends_with(name) && text.starts_with("failed to"), "{text}");
        }
    }

    #[test]
    fn any_damage_to_a_file_is_an_error_or_a_model() {
        let folder = tempfile::tempdir().expect("folder");
        for name in ["zip.pth", "legacy.pth", "plain.safetensors"] {
            let whole = fs::read(fixture(name)).expect("fixture");
            let path = folder.path().join(name);
            for step in 0..60 {
                let mut bytes = whole.clone();
                let at = step * bytes.len() / 60;
                bytes[at] ^= 0xFF;
                fs::write(&path, &bytes).expect("write");
                let _ = load_network(&path);
                fs::write(&path, &whole[..at]).expect("write");
                assert!(load_network(&path).is_err(), "{name} cut at {at}");
            }
        }
    }

    #[test]
    fn a_saved_model_comes_back_with_its_record() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("model.safetensors");
        let mut model = expected();
        model.record.bands[0].name = "Red".to_owned();
        model.record.normalisation = Normalisation::ScaleOffset { scale: vec![1e-4, 1e-4], offset: vec![0.0, -0.1] };

        fs::write(&path, save_safetensors_bytes(&model.state, &model.record)).expect("write");
        let back = load_network(&path).expect("loads");

        assert_eq!(back, model);
        assert_eq!(record_path(&path), folder.path().join("model.json"));
    }

    #[test]
    fn the_record_beside_a_pth_is_used() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("model.pth");
        fs::copy(fixture("zip.pth"), &path).expect("copy");
        let mut record = expected().record;
        record.bands[1].wavelength_nm = Some(560.0);
        fs::write(record_path(&path), record_json(&record)).expect("write");
        assert_eq!(load_network(&path).expect("loads").record, record);

        record.bands.pop();
        fs::write(record_path(&path), record_json(&record)).expect("write");
        let text = load_network(&path).expect_err("contradiction").to_string();
        assert!(text.contains("names 1 bands for a network of 2"), "{text}");

        fs::write(record_path(&path), "{\"somebody\": \"else\"}").expect("write");
        assert!(load_network(&path).is_ok());
    }
}
