//! Reading weight files into state dicts: PyTorch's `.pth` and `.pt` in each format that
//! `torch.save` ever wrote, and `.safetensors`.
//!
//! A pickle is a program. The reader (Burn's `pytorch-reader`) only builds data and calls
//! nothing; what the file wanted to call is named here, and a file that wants more than data is
//! refused.

use std::fs;
use std::io::Read;
use std::path::Path;

use burn::tensor::TensorData;
use burn_store::pytorch_reader::{DType, PickleValue, PytorchError, PytorchReader, Tensor};

use crate::error::MlError;
use crate::safetensors_file;
use crate::state::{StateDict, StateTensor, listed};

/// A weight file's tensors, and what else was in it.
#[derive(Clone, Debug, Default)]
pub struct WeightFile {
    pub state: StateDict,
    /// The text under the key `nunatak` of a safetensors file.
    pub record_json: Option<String>,
    /// What was unwrapped, left out, converted: one sentence each.
    pub remarks: Vec<String>,
}

/// A file may hold views of its own bytes; a total beyond this multiple of its size is an attack.
const MAX_EXPANSION: u64 = 16;
/// Files below this size may expand to `MAX_EXPANSION` times of it.
const MIN_BUDGET_BYTES: u64 = 1 << 20;

/// Keys under which training scripts keep the state dict, most telling first.
const WRAPPERS: [&str; 7] =
    ["state_dict", "model_state_dict", "model_state", "state_dict_ema", "model", "net", "network"];

/// Prefixes that wrappers such as `DataParallel` and `torch.compile` put before every name.
const PREFIXES: [&str; 5] = ["module.", "_orig_mod.", "model.", "net.", "network."];

/// Reads `.safetensors` by its extension, anything else as a PyTorch file.
///
/// # Errors
/// Unreadable, truncated, not a state dict, of an unknown element type, or with calls that
/// have no place in a weight file; the sentence names what was found.
pub fn read_weights(path: &Path) -> Result<WeightFile, MlError> {
    let fail = |reason: String| MlError::Weights { reason, path: path.to_owned() };
    let size = fs::metadata(path).map_err(|error| fail(io_reason(&error)))?.len();
    if size == 0 {
        return Err(fail("it is empty".to_owned()));
    }
    let is_safetensors = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    let mut file = if is_safetensors {
        let bytes = fs::read(path).map_err(|error| fail(io_reason(&error)))?;
        safetensors_file::read(&bytes).map_err(fail)?
    } else {
        read_pytorch(path, size).map_err(fail)?
    };
    unwrap_names(&mut file);
    if file.state.tensors.is_empty() {
        return Err(fail("it holds no tensors".to_owned()));
    }
    Ok(file)
}

fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    }
}

fn read_pytorch(path: &Path, size: u64) -> Result<WeightFile, String> {
    if let Some(name) = dangerous_global(path)? {
        return Err(format!("it asks Python to call `{name}`, which no weight file needs; nothing was run"));
    }
    let value = PytorchReader::read_pickle_data(path, None).map_err(|error| reason_of(&error))?;
    let foreign = foreign_objects(&value);
    if let Some((place, name)) = foreign.iter().find(|(_, name)| is_dangerous(name)) {
        return Err(format!(
            "it asks Python to call `{name}`{}, which no weight file needs; nothing was run",
            at(place)
        ));
    }
    if !matches!(value, PickleValue::Dict(_)) {
        return Err(format!("it holds {} and not a state dict", described(&value)));
    }
    let reader = PytorchReader::new(path).map_err(|error| reason_of(&error))?;
    let tensors = reader.into_tensors();
    let total = tensors.values().fold(0u64, |sum, tensor| sum.saturating_add(tensor.byte_len() as u64));
    if total > size.max(MIN_BUDGET_BYTES).saturating_mul(MAX_EXPANSION) {
        return Err(format!("its tensors claim {total} bytes in a file of {size} bytes"));
    }
    let mut state = StateDict::default();
    for (name, tensor) in std::collections::BTreeMap::from_iter(tensors) {
        state.tensors.insert(name, converted(&tensor)?);
    }
    let mut remarks = Vec::new();
    if !foreign.is_empty() {
        let names: Vec<String> = foreign.iter().map(|(place, name)| format!("`{name}`{}", at(place))).collect();
        remarks.push(format!("left out objects that are not tensors: {}", listed(&names)));
    }
    Ok(WeightFile { state, record_json: None, remarks })
}

fn converted(tensor: &Tensor) -> Result<StateTensor, String> {
    let (dtype, name) = match tensor.dtype() {
        DType::F64 => (burn::tensor::DType::F64, "float64"),
        DType::F32 => (burn::tensor::DType::F32, "float32"),
        DType::F16 => (burn::tensor::DType::F16, "float16"),
        DType::BF16 => (burn::tensor::DType::BF16, "bfloat16"),
        DType::I64 => (burn::tensor::DType::I64, "int64"),
        DType::I32 => (burn::tensor::DType::I32, "int32"),
        DType::I16 => (burn::tensor::DType::I16, "int16"),
        DType::I8 => (burn::tensor::DType::I8, "int8"),
        DType::U64 => (burn::tensor::DType::U64, "uint64"),
        DType::U32 => (burn::tensor::DType::U32, "uint32"),
        DType::U16 => (burn::tensor::DType::U16, "uint16"),
        DType::U8 | DType::Bool => (burn::tensor::DType::U8, "uint8"),
    };
    let bytes = tensor.read().map_err(|error| error.to_string())?;
    let data = floats(bytes, tensor.shape(), dtype)?;
    Ok(StateTensor { shape: tensor.shape().to_vec(), data, dtype: name })
}

/// Native-endian bytes of any element type as float32.
pub(crate) fn floats(bytes: Vec<u8>, shape: &[usize], dtype: burn::tensor::DType) -> Result<Vec<f32>, String> {
    let bytes = burn::tensor::Bytes::from_bytes_vec(bytes);
    let data = TensorData::try_from_bytes(bytes, shape.to_vec(), dtype).map_err(|error| lowered(&error.to_string()))?;
    let n_values: usize = shape.iter().product();
    let values: Vec<f32> = data.iter::<f32>().collect();
    if values.len() == n_values {
        Ok(values)
    } else {
        Err(format!("a tensor of shape {shape:?} holds {} values", values.len()))
    }
}

/// Objects in a checkpoint that are neither numbers, text, containers nor tensors: where and what.
fn foreign_objects(value: &PickleValue) -> Vec<(String, String)> {
    fn walk(value: &PickleValue, place: &str, found: &mut Vec<(String, String)>) {
        match value {
            PickleValue::Unsupported(name) if !is_plain(name) => found.push((place.to_owned(), name.clone())),
            PickleValue::List(items) => items.iter().for_each(|item| walk(item, place, found)),
            PickleValue::Dict(entries) => {
                for (key, item) in std::collections::BTreeMap::from_iter(entries) {
                    walk(item, &if place.is_empty() { key.clone() } else { format!("{place}.{key}") }, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// Tensors, storages and element types, which are data.
fn is_plain(name: &str) -> bool {
    matches!(name, "torch.Tensor" | "torch.TypedStorage" | "torch.UntypedStorage" | "int")
        || name.strip_prefix("torch.").is_some_and(|rest| {
            rest.starts_with("float")
                || rest.starts_with("int")
                || matches!(rest, "device" | "Size" | "bfloat16" | "bool" | "uint8")
        })
}

/// Pickles stand at the start of each format.
const SCANNED_BYTES: u64 = 16 << 20;

/// A callable that a pickle names and whose result it may throw away, so that the data does not
/// show it.
fn dangerous_global(path: &Path) -> Result<Option<String>, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| io_reason(&error))?;
    file.take(SCANNED_BYTES).read_to_end(&mut bytes).map_err(|error| io_reason(&error))?;
    let found = (0..bytes.len()).find_map(|at| {
        let (module, name) = global_text(&bytes[at..]).or_else(|| stack_global(&bytes[at..]))?;
        Some(format!("{module}.{name}")).filter(|name| is_dangerous(name))
    });
    Ok(found)
}

/// Opcode GLOBAL: `c`, module, newline, name, newline.
fn global_text(bytes: &[u8]) -> Option<(&str, &str)> {
    let rest = bytes.strip_prefix(b"c")?;
    let (module, rest) = identifier(rest)?;
    let (name, rest) = identifier(rest.strip_prefix(b"\n")?)?;
    rest.starts_with(b"\n").then_some((module, name))
}

/// Two short texts, each perhaps memoised, and opcode STACK_GLOBAL.
fn stack_global(bytes: &[u8]) -> Option<(&str, &str)> {
    fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
        let [0x8c, length, rest @ ..] = bytes else { return None };
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        let (whole, []) = identifier(text)? else { return None };
        Some((whole, rest.strip_prefix(b"\x94").unwrap_or(rest)))
    }
    let (module, rest) = text(bytes)?;
    let (name, rest) = text(rest)?;
    rest.starts_with(b"\x93").then_some((module, name))
}

fn identifier(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let length =
        bytes.iter().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')).count();
    let (text, rest) = bytes.split_at(length);
    Some((std::str::from_utf8(text).ok().filter(|text| !text.is_empty())?, rest))
}

/// Callables that run code or reach the system.
fn is_dangerous(name: &str) -> bool {
    const MODULES: [&str; 20] = [
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "shutil",
        "socket",
        "importlib",
        "runpy",
        "pty",
        "ctypes",
        "code",
        "commands",
        "webbrowser",
        "pip",
        "multiprocessing",
        "asyncio",
        "pickle",
        "marshal",
        "platform",
    ];
    const BUILTINS: [&str; 9] =
        ["eval", "exec", "compile", "open", "__import__", "getattr", "setattr", "input", "breakpoint"];
    let (module, function) = name.rsplit_once('.').unwrap_or(("", name));
    match module.split('.').next().unwrap_or("") {
        "builtins" | "__builtin__" => BUILTINS.contains(&function),
        root => MODULES.contains(&root),
    }
}

fn at(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" (under `{place}`)") }
}

fn described(value: &PickleValue) -> String {
    match value {
        PickleValue::Unsupported(name) if name == "torch.Tensor" => "a single tensor".to_owned(),
        PickleValue::Unsupported(name) => format!("an object of type `{name}`"),
        PickleValue::List(_) => "a list".to_owned(),
        PickleValue::String(_) => "a text".to_owned(),
        _ => "a single value".to_owned(),
    }
}

/// What is wrong with a PyTorch file, with advice where there is some.
fn reason_of(error: &PytorchError) -> String {
    let text = error.to_string();
    if let Some(rest) = text.split("unsupported Python type '").nth(1) {
        let name = rest.split('\'').next().unwrap_or(rest);
        return format!(
            "it holds `{name}`, which is no plain tensor; save it anew with torch.save(model.state_dict(), …)"
        );
    }
    if text.contains("Big-endian") {
        return "it was written on a big-endian machine, which is not supported".to_owned();
    }
    match error {
        PytorchError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
        PytorchError::Io(error) => io_reason(error),
        PytorchError::Zip(error) => format!("it is cut off or damaged ({})", lowered(&error.to_string())),
        PytorchError::InvalidFormat(text) if text.contains("no ZIP, TAR, legacy or pickle header") => {
            "it is neither a PyTorch nor a safetensors file".to_owned()
        }
        PytorchError::InvalidFormat(text) => lowered(text),
        PytorchError::Pickle(error) => format!("its pickle cannot be read ({})", lowered(&error.to_string())),
        other => lowered(&other.to_string()),
    }
}

/// Without capital and full stop.
fn lowered(message: &str) -> String {
    let mut chars = message.trim().trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Takes a state dict out of its wrapper and strips prefixes that all its names share.
fn unwrap_names(file: &mut WeightFile) {
    let tensors = &mut file.state.tensors;
    for wrapper in WRAPPERS {
        let prefix = format!("{wrapper}.");
        let (inside, outside): (Vec<_>, Vec<_>) = tensors.keys().cloned().partition(|name| name.starts_with(&prefix));
        let telling = wrapper.contains("state");
        if inside.is_empty() || (!telling && outside.iter().any(|name| !is_training_state(name))) {
            continue;
        }
        if !outside.is_empty() {
            file.remarks.push(format!("took `{wrapper}` and left out {} other tensors", outside.len()));
        }
        *tensors = std::mem::take(tensors)
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor)))
            .collect();
        break;
    }
    while let Some(prefix) =
        PREFIXES.iter().find(|prefix| !tensors.is_empty() && tensors.keys().all(|name| name.starts_with(*prefix)))
    {
        *tensors = std::mem::take(tensors)
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor)))
            .collect();
    }
}

/// Tensors of optimisers and the like that stand beside a wrapped network.
fn is_training_state(name: &str) -> bool {
    ["optimizer", "optim", "scheduler", "lr_scheduler", "scaler", "ema", "criterion", "rng"]
        .iter()
        .any(|part| name.starts_with(part))
}
