//! Weights from files, into a model that is there already.

use super::Checked;
use super::graph_load::skip_graph;
use super::header::{Content, HEADER_LEN};
use super::limits::{Limits, LoadOptions};
use super::model_load::{Tensors, check_count, check_number_type, shape_text_of, skip_layers};
use super::model_save::{MOMENTS, ORIGIN_PARAMS, ORIGIN_STATE};
use super::reader::{Input, OpenFile, Source};
use super::records::{Dims, GraphRecord, ModelRecord, Records, WeightsRecord};
use super::tensor_data::NumberType;
use crate::error::{LoadErrorKind, Result, excerpt};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::layout::zeros;
use crate::nn::model::Model;
use std::borrow::Cow;
use std::path::Path;

impl<F: Float> Model<F> {
    /// Replaces all weights by those of a file, matched by name and shape: one that
    /// [`save_weights`](Self::save_weights) or [`save`](Self::save) has written. Optimizer and counters stay.
    ///
    /// # Errors
    /// As [`load`](Self::load); a weight that is missing on one side or of another shape. Then nothing is changed.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-weights-{}.axonal", std::process::id()));
    /// let network = |seed| {
    ///     let layers = Sequential::<f32>::new(4).add(Dense::new(3)).seed(seed);
    ///     layers.compile(Adam::default(), MeanSquaredError::default())
    /// };
    /// let (first, mut second) = (network(1)?, network(2)?);
    /// first.save_weights(&path)?;
    /// second.load_weights(&path)?;
    /// assert_eq!(second.weights(), first.weights());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_weights_with(path, LoadOptions::new()).map(drop)
    }

    /// As [`load_weights`](Self::load_weights), with options; the answer are the names of the weights that
    /// [`LoadOptions::skip_mismatch`] has left out, of the model's and of the file's.
    ///
    /// # Errors
    /// As [`load_weights`](Self::load_weights).
    pub fn load_weights_with(
        &mut self,
        path: impl AsRef<Path>,
        options: LoadOptions<'_, F>,
    ) -> Result<Vec<String>> {
        weights_of_file(self, path.as_ref(), options)
    }

    /// As [`load_weights_with`](Self::load_weights_with), from memory.
    ///
    /// # Errors
    /// As [`load_weights`](Self::load_weights).
    pub fn weights_from_bytes(&mut self, bytes: &[u8], options: LoadOptions<'_, F>) -> Result<Vec<String>> {
        weights_of_bytes(self, bytes, options)
    }

    fn read_weights<'a, R: Input<'a>>(
        &mut self,
        source: Source<R>,
        options: &LoadOptions<'_, F>,
    ) -> Result<Vec<String>> {
        self.check_built("load_weights")?;
        let mut opened =
            source.structure(&[Content::Weights, Content::Model, Content::Graph], &options.limits)?;
        let (steps, skipped) = self.match_weights(&opened, options).map_err(|p| p.in_file(&opened.name))?;
        opened.structure = Cow::default();
        // The weights go aside first, so that a file that turns out to be damaged changes nothing.
        let layout = self.layout.clone();
        let taken = steps.iter().filter_map(|step| match step {
            Step::Take(index, _) => layout.variables.get(*index),
            Step::Skip(_) => None,
        });
        let mut aside = zeros("the weights", taken.clone().map(|variable| variable.range.len()).sum())?;
        opened.numbers(|numbers| {
            let mut rest = aside.as_mut_slice();
            for step in &steps {
                let (variable, number) = match *step {
                    Step::Skip(bytes) => {
                        numbers.skip(bytes)?;
                        continue;
                    }
                    Step::Take(index, number) => match layout.variables.get(index) {
                        Some(variable) => (variable, number),
                        None => continue,
                    },
                };
                let (values, behind) = rest.split_at_mut(variable.range.len());
                rest = behind;
                if let Err(problem) = numbers.floats(&variable.name, number, values)? {
                    return Ok(Err(problem));
                }
            }
            Ok(Ok(()))
        })?;
        let mut rest = aside.as_slice();
        for variable in taken {
            let (values, behind) = rest.split_at(variable.range.len());
            let buffer = if variable.in_state { &mut self.state } else { &mut self.params };
            buffer[variable.range.clone()].copy_from_slice(values);
            rest = behind;
        }
        Ok(skipped)
    }

    /// What to do with each tensor of the file, in turn, and the names of those left out.
    fn match_weights<R>(
        &self,
        opened: &OpenFile<'_, R>,
        options: &LoadOptions<'_, F>,
    ) -> Checked<(Vec<Step>, Vec<String>)> {
        let (records, left) = tensors_of(opened, &options.limits)?;
        check_count(left, &options.limits)?;
        let mut tensors = Tensors { records, left, bytes: 0, convert: options.convert_numbers };
        let (mut steps, mut skipped) = (Vec::new(), Vec::new());
        let mut taken = vec![false; self.layout.variables.len()];
        while tensors.left > 0 {
            let before = tensors.bytes;
            let (record, number) = tensors.next("weights")?;
            let bytes = tensors.bytes - before;
            let is_weight = ![MOMENTS, ORIGIN_PARAMS, ORIGIN_STATE].contains(&record.name);
            let found = self.layout.variables.iter().position(|variable| variable.name == record.name);
            let step = match found {
                _ if !is_weight => Step::Skip(bytes),
                Some(index) if taken[index] => {
                    let (tensor, expected) = (excerpt(record.name), "it once".into());
                    return Err(LoadErrorKind::Tensor { tensor, expected, got: "it twice".into() });
                }
                Some(index) if record.shape == Dims::of(self.layout.variables[index].shape.dims()) => {
                    check_number_type::<F>(record.name, number, number, options.convert_numbers)?;
                    taken[index] = true;
                    Step::Take(index, number)
                }
                _ if options.skip_mismatch => {
                    skipped.push(excerpt(record.name));
                    Step::Skip(bytes)
                }
                Some(index) => {
                    let expected = format!("shape {}", self.layout.variables[index].shape);
                    let got = format!("shape {}", shape_text_of(&record.shape));
                    return Err(LoadErrorKind::Tensor { tensor: excerpt(record.name), expected, got });
                }
                None => {
                    let expected = "only weights that the model has".into();
                    let got = format!("shape {}", shape_text_of(&record.shape));
                    return Err(LoadErrorKind::Tensor { tensor: excerpt(record.name), expected, got });
                }
            };
            push(&mut steps, step);
        }
        self.skip_missing(&taken, options.skip_mismatch, &mut skipped)?;
        tensors.finish(opened.header.numbers_len)?;
        Ok((steps, skipped))
    }

    /// Adds the variables that were not taken to the skipped ones, or refuses them.
    fn skip_missing(&self, taken: &[bool], skip_mismatch: bool, skipped: &mut Vec<String>) -> Checked<()> {
        for (variable, _) in self.layout.variables.iter().zip(taken).filter(|(_, taken)| !**taken) {
            if !skip_mismatch {
                let (tensor, expected) = (variable.name.clone(), format!("shape {}", variable.shape));
                let got = "no such tensor in the file".into();
                return Err(LoadErrorKind::Tensor { tensor, expected, got });
            }
            if !skipped.contains(&variable.name) {
                skipped.push(variable.name.clone());
            }
        }
        Ok(())
    }
}

precompiled! {
    fn weights_of_file<'a, 'b, F>(
        model: &'a mut Model<F>,
        path: &'b Path,
        options: LoadOptions<'b, F>,
    ) -> Result<Vec<String>> {
        let source = Source::open(path, &options.limits)?;
        model.read_weights(source, &options)
    }

    fn weights_of_bytes<'a, 'b, F>(
        model: &'a mut Model<F>,
        bytes: &'b [u8],
        options: LoadOptions<'b, F>,
    ) -> Result<Vec<String>> {
        let source = Source::bytes(bytes, &options.limits)?;
        model.read_weights(source, &options)
    }
}

/// The records of the tensors of a file, and their number.
fn tensors_of<'o, R>(opened: &'o OpenFile<'_, R>, limits: &Limits) -> Checked<(Records<'o>, u32)> {
    let mut records = Records::new(&opened.structure, HEADER_LEN as u64);
    let left = match opened.header.content {
        Content::Model => {
            let head: ModelRecord<'_> = records.next("a model")?;
            skip_layers(&mut records, &head, limits)?;
            head.n_tensors
        }
        Content::Graph => {
            let head: GraphRecord<'_> = records.next("a graph model")?;
            skip_graph(&mut records, &head, limits)?;
            head.n_tensors
        }
        _ => records.next::<WeightsRecord<'_>>("weights")?.n_tensors,
    };
    Ok((records, left))
}

/// What happens to a tensor of the file.
enum Step {
    /// It becomes the variable of this index.
    Take(usize, NumberType),
    /// Skips this number of bytes.
    Skip(u64),
}

/// Appends a step; neighbours that are skipped become one, so that a file of many tiny tensors takes no memory.
fn push(steps: &mut Vec<Step>, step: Step) {
    match (steps.last_mut(), step) {
        (Some(Step::Skip(bytes)), Step::Skip(more)) => *bytes += more,
        (_, step) => steps.push(step),
    }
}
