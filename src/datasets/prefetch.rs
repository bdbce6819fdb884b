//! Iterators over data in pieces: read by a thread in advance, and two sources side by side.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Reads an iterator's next items in a thread while the caller works on the current one.
///
/// At most `depth` items wait in memory, beside the one that is being read and the one in use. Order and items are those of
/// the iterator; a panic in it resumes in the caller. Dropping the iterator ends the thread after the item that it is
/// reading. Where threads cannot be started (wasm), items are read when they are asked for.
///
/// # Examples
/// ```
/// use axonal::datasets::prefetch;
///
/// let squares: Vec<u64> = prefetch((0..100).map(|i| i * i), 2).collect();
/// assert_eq!(squares[99], 9801);
/// ```
pub fn prefetch<I>(items: I, depth: usize) -> Prefetch<I::IntoIter>
where
    I: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static>,
{
    let items = items.into_iter();
    // Shared, so that the iterator is still here if no thread can be started.
    let slot = Arc::new(Mutex::new(Some(items)));
    let (sender, receiver) = sync_channel(depth);
    let from = slot.clone();
    let started = Builder::new().name("axonal-prefetch".into()).spawn(move || {
        let Some(items) = from.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        for item in items {
            // The receiver was dropped.
            if sender.send(item).is_err() {
                return;
            }
        }
    });
    match started {
        Ok(thread) => Prefetch(Source::Thread(receiver, Some(thread))),
        Err(_) => Prefetch(Source::Inline(slot.lock().unwrap_or_else(PoisonError::into_inner).take())),
    }
}

/// An iterator whose items a thread reads in advance; see [`prefetch`].
pub struct Prefetch<I: Iterator>(Source<I>);

enum Source<I: Iterator> {
    Thread(Receiver<I::Item>, Option<JoinHandle<()>>),
    Inline(Option<I>),
}

impl<I: Iterator> fmt::Debug for Prefetch<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prefetch")
    }
}

impl<I: Iterator> Iterator for Prefetch<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        match &mut self.0 {
            Source::Inline(items) => items.as_mut()?.next(),
            Source::Thread(receiver, thread) => {
                if let Ok(item) = receiver.recv() {
                    return Some(item);
                }
                if let Some(Err(panic)) = thread.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                None
            }
        }
    }
}

/// Pairs the batches of two sources, samples and targets, for [`fit_batches`](crate::models::Model::fit_batches).
///
/// Each item is a pair, or the first error. Unlike `zip`, it is an error if one source ends before the other.
///
/// # Examples
/// ```no_run
/// use axonal::datasets::{npy_batches, paired, prefetch};
/// use axonal::ndarray::{Ix1, Ix2};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let batches = paired(npy_batches::<f32, Ix2>("x.npy", 64)?, npy_batches::<f32, Ix1>("y.npy", 64)?);
/// model.fit_batches(prefetch(batches, 2), FitOptions::new())?;
/// # Ok(())
/// # }
/// ```
pub fn paired<A, B>(
    x: impl IntoIterator<Item = Result<A>>,
    y: impl IntoIterator<Item = Result<B>>,
) -> impl Iterator<Item = Result<(A, B)>> {
    let (mut x, mut y, mut done) = (x.into_iter(), y.into_iter(), false);
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let pair = match (x.next(), y.next()) {
            (Some(x), Some(y)) => x.and_then(|x| Ok((x, y?))),
            (None, None) => return None,
            (x, _) => {
                let (longer, shorter) = if x.is_some() { ("x", "y") } else { ("y", "x") };
                let expected = format!("as many batches of {shorter} as of {longer}");
                Err(Error::shape("paired", expected, format!("{shorter} ended first")))
            }
        };
        done = pair.is_err();
        Some(pair)
    })
}
