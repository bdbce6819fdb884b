//! Files of other libraries.
//!
//! | format | written | read | feature |
//! |---|---|---|---|
//! | safetensors | [`Model::save_safetensors`](crate::models::Model::save_safetensors) | [`Model::load_safetensors`](crate::models::Model::load_safetensors) | `safetensors` |

#[cfg(feature = "safetensors")]
mod safetensors;
