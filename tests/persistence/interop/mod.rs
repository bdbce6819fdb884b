//! Files of other libraries.

#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "onnx")]
mod onnx_cases;
#[cfg(feature = "onnx")]
mod onnx_graphs;
#[cfg(feature = "onnx")]
mod onnx_random;
#[cfg(feature = "onnx")]
mod onnx_reader;
#[cfg(feature = "safetensors")]
mod safetensors;
