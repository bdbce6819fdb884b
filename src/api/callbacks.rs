//! Callbacks: code that runs at the begin and end of training, of each epoch and of each batch.
//!
//! | type | use |
//! |---|---|
//! | [`EarlyStopping`] | ends a run that no longer improves; may restore the best weights |
//! | [`ModelCheckpoint`] | saves the model after each epoch, or only the best one |
//! | [`BackupAndRestore`] | resumes an interrupted run to the bit |
//! | [`ReduceLrOnPlateau`] | lowers the learning rate when a metric stalls |
//! | [`LearningRateScheduler`] | sets the learning rate of each epoch by a function |
//! | [`CsvLogger`], [`JsonLogger`] | write the logs of each epoch to a file |
//! | [`TensorBoard`] | writes event files for TensorBoard |
//! | [`LambdaCallback`] | closures |
//! | [`StopToken`] | stops a run from another thread or a signal handler |
//! | `ProgressBar` (feature `progress`) | a progress bar on the terminal |
//! | [`Checkpoint`] | a training run at one moment, to resume from |
//!
//! Write your own by implementing [`Callback`]; what its methods receive is in [`custom`](crate::custom).

#[cfg(feature = "progress")]
#[cfg_attr(docsrs, doc(cfg(feature = "progress")))]
pub use crate::nn::callback::ProgressBar;
pub use crate::nn::callback::{
    Callback, Checkpoint, CsvLogger, EarlyStopping, JsonLogger, LambdaCallback, LearningRateScheduler,
    ReduceLrOnPlateau, StopToken, TensorBoard, UpdateFreq,
};
pub use crate::persistence::{BackupAndRestore, ModelCheckpoint};
