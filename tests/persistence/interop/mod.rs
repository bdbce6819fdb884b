//! Files of other libraries.

#[cfg(feature = "safetensors")]
mod safetensors;
