//! Weights in safetensors files, which PyTorch, JAX and Hugging Face's libraries read and write.
//!
//! Format: the length of the header in eight bytes, the header as JSON (name, type, shape and byte range of each tensor),
//! then the tensor data. The crate `safetensors` parses and writes the header; tensor data are streamed.

mod decode;
mod load;
mod save;
