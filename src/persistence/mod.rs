//! Files: models, weights and estimators, saved whole or not at all, loaded without trust.
//!
//! [`Model::save`](crate::models::Model::save) and [`Model::load`](crate::models::Model::load) are the doors;
//! [`inspect`] looks into a file without building it. The folder by its questions: how a file looks (`header`,
//! `records`, `tensor_data`, `training`), how it gets to the disk (`file`, `atomic`), how it is read (`reader`,
//! `registry`, `limits`, `kept_callbacks`), what is saved (`persist`, `model_save`, `model_load`, `weights_load`, `kmeans`,
//! `transformers`, `categories`, `column_transformer`, `pca`, `pipeline`, `checkpoint_file`), and the callbacks that save during a
//! training run (`model_checkpoint` with `path_template`, `backup_and_restore`).

mod atomic;
mod backup_and_restore;
mod categories;
mod checkpoint_file;
mod column_transformer;
mod connections;
mod crc;
mod file;
mod graph_load;
mod header;
mod inspect;
mod kept_callbacks;
mod kmeans;
mod limits;
mod model_checkpoint;
mod model_load;
mod model_save;
mod path_template;
#[cfg(feature = "pca")]
mod pca;
mod persist;
mod pipeline;
mod reader;
mod records;
mod registry;
mod tensor_data;
mod training;
mod transformers;
mod weights_load;

#[cfg(any(feature = "onnx", feature = "safetensors"))]
pub(crate) use atomic::replace as replace_file;
#[cfg(feature = "onnx")]
pub(crate) use model_save::layer_config;
#[cfg(feature = "safetensors")]
pub(crate) use reader::open_regular;

pub use backup_and_restore::BackupAndRestore;
pub use file::Encoder;
pub use header::Content;
pub use inspect::{Inspection, RecipeInfo, TensorInfo, inspect, inspect_bytes};
pub use limits::{Limits, LoadOptions};
pub use model_checkpoint::ModelCheckpoint;
pub use persist::{Persist, Section};
pub use registry::Registry;
pub use tensor_data::NumberType;

#[cfg(feature = "keras")]
pub(crate) use {
    atomic::replace,
    limits::MemoryBudget,
    model_load::check_memory,
    reader::Source,
    registry::{check_brackets, rejected},
};

/// The answer of a check of a file; where it is known, the file's name is added.
type Checked<T> = std::result::Result<T, crate::error::LoadErrorKind>;
