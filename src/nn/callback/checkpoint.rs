//! A run at one moment: everything that it takes to resume from there to the bit.

use crate::error::{Error, Result};
use crate::nn::history::History;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a callback remembers: settings and counts as text, and numbers of the model's type.
///
/// # Examples
/// ```
/// use axonal::custom::CallbackState;
///
/// # fn main() -> axonal::Result<()> {
/// let state = CallbackState::of(&(3_usize, 0.5))?.with_numbers(vec![1.0_f32, 2.0]);
/// assert_eq!(state.read::<(usize, f64)>()?, (3, 0.5));
/// assert_eq!(state.numbers(), [1.0, 2.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CallbackState<F> {
    pub(crate) text: String,
    pub(crate) numbers: Vec<F>,
}

impl<F> Default for CallbackState<F> {
    fn default() -> Self {
        Self { text: String::new(), numbers: Vec::new() }
    }
}

impl<F> CallbackState<F> {
    /// The state that holds `value`, written as JSON.
    ///
    /// # Errors
    /// [`Error::Unsaveable`] for what JSON cannot hold.
    pub fn of<T: Serialize>(value: &T) -> Result<Self> {
        let text = serde_json::to_string(value).map_err(|problem| Error::Unsaveable {
            what: "the state of a callback".into(),
            reason: problem.to_string(),
            hint: "return strings, finite numbers and lists of them".into(),
        })?;
        Ok(Self { text, numbers: Vec::new() })
    }

    /// The same with numbers beside it: a copy of weights, say. They must be finite.
    #[must_use]
    pub fn with_numbers(self, numbers: Vec<F>) -> Self {
        Self { numbers, ..self }
    }

    /// The value that [`of`](Self::of) was given.
    ///
    /// # Errors
    /// [`Error::Callback`] for the state of another callback.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.text).map_err(|problem| Error::Callback {
            name: "in a resumed run".into(),
            source: format!("its state is another callback's: {problem}").into(),
        })
    }

    /// The numbers beside it.
    #[must_use]
    pub fn numbers(&self) -> &[F] {
        &self.numbers
    }

    /// The numbers, taken out.
    #[must_use]
    pub fn into_numbers(self) -> Vec<F> {
        self.numbers
    }
}

/// A training run at one moment: weights, moving statistics, moments, learning rate, counters (from which the order
/// of the samples and the noise of the layers follow), the batch within the epoch, the epoch's sums, the history, the
/// last good epoch and the states of all callbacks.
///
/// Made by [`Run::request_checkpoint`](super::Run::request_checkpoint), taken back by
/// [`Run::resume`](super::Run::resume). [`BackupAndRestore`](crate::persistence::BackupAndRestore) keeps the
/// checkpoints of a run in files; they can be saved to anywhere else by
/// [`to_bytes`](Self::to_bytes) and [`from_bytes`](Self::from_bytes).
#[derive(Debug, Clone)]
pub struct Checkpoint<F> {
    /// What the run is: layers, optimizer, data. A checkpoint is of use to the same run only.
    pub(crate) identity: String,
    pub(crate) position: Position,
    /// Why a callback has stopped the run, if one has.
    pub(crate) stop: Option<String>,
    pub(crate) history: History,
    /// Whether the history's validations have their epochs; files of earlier versions lack them.
    pub(crate) epochs_known: bool,
    /// The sums behind the scores of the epoch.
    pub(crate) totals: Vec<f64>,
    pub(crate) rate: Rate,
    pub(crate) numbers: Numbers<F>,
    /// The last good epoch and its numbers; none for those that are the model's of this moment.
    pub(crate) last_good: (Option<usize>, Option<Numbers<F>>),
    pub(crate) callbacks: Vec<CallbackState<F>>,
}

/// Where in its epochs a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// The epoch that is under way, or comes next.
    pub(crate) epoch: usize,
    /// How many of its batches are done.
    pub(crate) batch: usize,
    /// How many batches this run has taken in all.
    pub(crate) taken: u64,
}

/// The learning rate of a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rate {
    /// A number.
    Constant(f64),
    /// A multiple of the schedule that the model was compiled with.
    Factor(f64),
}

/// All numbers of a model that training changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numbers<F> {
    pub(crate) params: Vec<F>,
    pub(crate) state: Vec<F>,
    pub(crate) moments: Vec<F>,
    pub(crate) iterations: u64,
    pub(crate) epochs_trained: u64,
    pub(crate) steps_trained: u64,
}

impl<F> Checkpoint<F> {
    /// The epoch that is under way or comes next, counted from 0.
    #[must_use]
    pub fn epoch(&self) -> usize {
        self.position.epoch
    }

    /// How many batches of that epoch are done.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.position.batch
    }

    /// The history up to here.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }
}
