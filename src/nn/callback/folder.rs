//! Folders that callbacks write to, created before the first epoch.

use crate::error::{Error, Result};
use std::fs;
use std::path::Path;

/// Creates a folder and those that it lies in, where they are missing.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    let refused = |source| Error::Save { path: folder.into(), action: "create the folder", source };
    fs::create_dir_all(folder).map_err(refused)
}

/// Creates the folder of a file.
pub(crate) fn create_folder_of(file: &Path) -> Result<()> {
    file.parent().map_or(Ok(()), create_folder)
}
