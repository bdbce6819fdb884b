//! Files: models, weights and estimators, saved whole or not at all, loaded without trust.
//!
//! [`Model::save`](crate::models::Model::save) and [`Model::load`](crate::models::Model::load) are the doors;
//! [`inspect`] looks into a file without building it. The folder by its questions: how a file looks (`frame`,
//! `structured`, `numbers`, `training`), how it gets to the disk (`file`, `atomic`), how it is read (`source`,
//! `registry`, `limits`), what is saved (`persist`, `model_save`, `model_load`, `weights_load`, `kmeans`,
//! `transformers`, `categories`, `column_transformer`, `pca`, `pipeline`, `checkpoint_file`), and the callbacks that save during a
//! training run (`model_checkpoint` with `path_template`, `backup_and_restore`).

mod atomic;
mod backup_and_restore;
mod categories;
mod checkpoint_file;
mod column_transformer;
mod crc;
mod file;
mod frame;
mod inspect;
mod kmeans;
mod limits;
mod model_checkpoint;
mod model_load;
mod model_save;
mod numbers;
mod path_template;
#[cfg(feature = "pca")]
mod pca;
mod persist;
mod pipeline;
mod registry;
mod source;
mod structured;
mod training;
mod transformers;
mod weights_load;

pub use backup_and_restore::BackupAndRestore;
pub use file::Draft;
pub use frame::Content;
pub use inspect::{Inspection, RecipeInfo, TensorInfo, inspect, inspect_bytes};
pub use limits::{Limits, LoadOptions};
pub use model_checkpoint::ModelCheckpoint;
pub use numbers::NumberType;
pub use persist::{Part, Persist};
pub use registry::Registry;

/// The answer of a check of a file; where it is known, the file's name is added.
type Checked<T> = std::result::Result<T, crate::error::FileProblem>;
