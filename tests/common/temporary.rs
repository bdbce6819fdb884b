//! Paths for temporary files, also on WebAssembly, which has neither `temp_dir` nor process numbers.
#![allow(dead_code, unreachable_pub, reason = "no binary uses all of them")]

use std::path::PathBuf;

/// The folder for temporary files.
pub fn temporary_folder() -> PathBuf {
    if cfg!(target_family = "wasm") { "/tmp".into() } else { std::env::temp_dir() }
}

/// The number of the process.
pub fn process_id() -> u32 {
    if cfg!(target_family = "wasm") { 0 } else { std::process::id() }
}

/// A path that no other process uses.
pub fn temporary_path(name: &str) -> PathBuf {
    temporary_folder().join(format!("axonal-{}-{name}", process_id()))
}
