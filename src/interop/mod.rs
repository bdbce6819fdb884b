//! Files of other libraries.
//!
//! | format | written | read | feature |
//! |---|---|---|---|
//! | ONNX | `export_onnx`, `to_onnx` of networks, clusterings, transformers and pipelines | | `onnx` |
//! | safetensors | [`Model::save_safetensors`](crate::models::Model::save_safetensors) | [`Model::load_safetensors`](crate::models::Model::load_safetensors) | `safetensors` |

#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "safetensors")]
mod safetensors;

#[cfg(feature = "onnx")]
#[cfg_attr(docsrs, doc(cfg(feature = "onnx")))]
pub use onnx::OnnxStep;
