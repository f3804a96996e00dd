//! The safetensors format: reading through the `safetensors` crate, writing the few lines that
//! keep the header's order, so that equal models are equal files.

use burn::tensor::DType;
use safetensors::tensor::{Dtype, SafeTensors};

use crate::state::{StateDict, StateTensor, is_counter};
use crate::weights::{WeightFile, floats};

/// Key of the record in the header's metadata.
const RECORD_KEY: &str = "nunatak";

pub(crate) fn read(bytes: &[u8]) -> Result<WeightFile, String> {
    let fail = |error: safetensors::SafeTensorError| format!("it is not a whole safetensors file ({error})");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(fail)?;
    let record_json = header.metadata().as_ref().and_then(|metadata| metadata.get(RECORD_KEY).cloned());
    let tensors = SafeTensors::deserialize(bytes).map_err(fail)?;
    let mut state = StateDict::default();
    for (name, view) in tensors.iter() {
        let (dtype, dtype_name) = match view.dtype() {
            Dtype::F64 => (DType::F64, "float64"),
            Dtype::F32 => (DType::F32, "float32"),
            Dtype::F16 => (DType::F16, "float16"),
            Dtype::BF16 => (DType::BF16, "bfloat16"),
            Dtype::I64 => (DType::I64, "int64"),
            Dtype::I32 => (DType::I32, "int32"),
            Dtype::I16 => (DType::I16, "int16"),
            Dtype::I8 => (DType::I8, "int8"),
            Dtype::U64 => (DType::U64, "uint64"),
            Dtype::U32 => (DType::U32, "uint32"),
            Dtype::U16 => (DType::U16, "uint16"),
            Dtype::U8 | Dtype::BOOL => (DType::U8, "uint8"),
            other => return Err(format!("tensor `{name}` has the element type {other:?}, which is not read")),
        };
        let data = floats(view.data().to_vec(), view.shape(), dtype)?;
        state.tensors.insert(name.to_owned(), StateTensor { shape: view.shape().to_vec(), data, dtype: dtype_name });
    }
    Ok(WeightFile { state, record_json, remarks: Vec::new() })
}

/// Counters as int64, all else as float32, in the order of the names.
pub(crate) fn bytes(state: &StateDict, record_json: &str) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!({ "format": "pt", RECORD_KEY: record_json }));
    let mut data = Vec::new();
    for (name, tensor) in &state.tensors {
        let start = data.len();
        let dtype = if is_counter(name) {
            tensor.data.iter().for_each(|value| data.extend_from_slice(&(*value as i64).to_le_bytes()));
            "I64"
        } else {
            tensor.data.iter().for_each(|value| data.extend_from_slice(&value.to_le_bytes()));
            "F32"
        };
        let entry = serde_json::json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": [start, data.len()] });
        header.insert(name.clone(), entry);
    }
    let mut text = serde_json::Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(&text);
    file.extend_from_slice(&data);
    file
}
