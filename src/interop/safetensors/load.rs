//! Reading: `load_safetensors`, `load_safetensors_with`, `safetensors_from_bytes`.

use super::decode::FloatType;
use crate::data_file::describe;
use crate::error::{Error, LoadErrorKind, Result, excerpt};
use crate::float::Float;
use crate::nn::layout::{Layout, zeros};
use crate::nn::model::Model;
use crate::persistence::{Limits, LoadOptions, open_regular};
use crate::validate::shape_text;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

type Checked<T> = std::result::Result<T, LoadErrorKind>;

/// Number of bytes that are read from a file at a time; a multiple of the width of every type.
const CHUNK_BYTES: usize = 64 << 10;

/// Number of bytes of the field before the header.
const PREFIX_LEN: u64 = 8;

/// Approximate bytes that parsing takes for each comma of the header: a tensor has about six.
const BYTES_PER_COMMA: u64 = 256;

impl<F: Float> Model<F> {
    /// Replaces all weights by those of a safetensors file, matched by name and shape. Optimizer and counters stay.
    ///
    /// Elements of type `F16`, `BF16`, `F32` and `F64` are converted to the type of the model.
    ///
    /// # Errors
    /// [`Error::Load`]: a damaged or foreign file; a tensor that is missing, superfluous, of another shape or not of a
    /// floating-point type; NaN or infinite values. Then the model is unchanged.
    ///
    /// # Examples
    /// See [`save_safetensors`](Self::save_safetensors).
    #[cfg_attr(docsrs, doc(cfg(feature = "safetensors")))]
    pub fn load_safetensors(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_safetensors_with(path, LoadOptions::new()).map(drop)
    }

    /// Loads as [`load_safetensors`](Self::load_safetensors) does, with limits and
    /// [`skip_mismatch`](LoadOptions::skip_mismatch); returns the names of the skipped tensors, of the model and of the file.
    ///
    /// # Errors
    /// As [`load_safetensors`](Self::load_safetensors).
    #[cfg_attr(docsrs, doc(cfg(feature = "safetensors")))]
    pub fn load_safetensors_with(
        &mut self,
        path: impl AsRef<Path>,
        options: LoadOptions<'_, F>,
    ) -> Result<Vec<String>> {
        let path = path.as_ref();
        let (file, len) = open_regular(path, &options.limits)?;
        let mut data = Data::File { file, buffer: Vec::new() };
        let failed = |source| Error::Io { path: path.into(), source };
        let name = path.display().to_string();
        let located = |problem: LoadErrorKind| problem.in_file(&name);
        let header = data.read_header(len, &options.limits).map_err(failed)?.map_err(located)?;
        let (steps, skipped) = match_tensors(&self.layout, header, &options).map_err(located)?;
        // Weights are collected first, so that a damaged file changes nothing.
        let mut weights = zeros("the weights", steps.iter().map(|step| step.len(&self.layout)).sum())?;
        let mut slots = weights.iter_mut();
        let read = data.read_tensors(&self.layout, &steps, |_, _, value| {
            slots.next().into_iter().for_each(|slot| *slot = value);
        });
        read.map_err(failed)?.map_err(located)?;
        let mut values = weights.iter();
        for step in &steps {
            let Some(variable) = step.variable(&self.layout) else { continue };
            let buffer = if variable.in_state { &mut self.state } else { &mut self.params };
            buffer[variable.range.clone()]
                .iter_mut()
                .zip(&mut values)
                .for_each(|(slot, &value)| *slot = value);
        }
        Ok(skipped)
    }

    /// Loads as [`load_safetensors_with`](Self::load_safetensors_with) does, from the bytes of a file (a memory map, a
    /// download), which are not copied.
    ///
    /// # Errors
    /// As [`load_safetensors`](Self::load_safetensors).
    #[cfg_attr(docsrs, doc(cfg(feature = "safetensors")))]
    pub fn safetensors_from_bytes(
        &mut self,
        bytes: &[u8],
        options: LoadOptions<'_, F>,
    ) -> Result<Vec<String>> {
        let len = bytes.len() as u64;
        let located = |problem: LoadErrorKind| problem.in_file("bytes");
        let failed = |source| Error::Io { path: "bytes".into(), source };
        options.limits.check_file_len(len).map_err(located)?;
        let mut data = Data::Bytes(bytes);
        let header = data.read_header(len, &options.limits).map_err(failed)?.map_err(located)?;
        let (steps, skipped) = match_tensors(&self.layout, header, &options).map_err(located)?;
        // The first pass checks the values, the second stores them.
        let Data::Bytes(tensors) = data else { return Ok(skipped) };
        let layout = self.layout.clone();
        let checked = Data::Bytes(tensors).read_tensors::<F>(&layout, &steps, |_, _, _| {});
        checked.map_err(failed)?.map_err(located)?;
        let stored = Data::Bytes(tensors).read_tensors(&layout, &steps, |variable, index, value| {
            let Some(variable) = layout.variables.get(variable) else { return };
            let buffer = if variable.in_state { &mut self.state } else { &mut self.params };
            buffer[variable.range.start + index] = value;
        });
        stored.map_err(failed)?.map_err(located)?;
        Ok(skipped)
    }
}

/// What is done with consecutive bytes of the file.
enum Step {
    /// They become the variable of this index.
    Take {
        variable: usize,
        float: FloatType,
    },
    Skip {
        bytes: u64,
    },
}

impl Step {
    fn variable<'l, F>(&self, layout: &'l Layout<F>) -> Option<&'l crate::nn::layout::Variable> {
        match self {
            Self::Take { variable, .. } => layout.variables.get(*variable),
            Self::Skip { .. } => None,
        }
    }

    /// Number of weights that are taken.
    fn len<F>(&self, layout: &Layout<F>) -> usize {
        self.variable(layout).map_or(0, |variable| variable.range.len())
    }
}

/// The bytes of a file that are still to be read.
enum Data<'a> {
    Bytes(&'a [u8]),
    File { file: File, buffer: Vec<u8> },
}

impl Data<'_> {
    /// The next `len` bytes: borrowed from memory, or read into the buffer.
    fn next(&mut self, len: usize) -> io::Result<&[u8]> {
        match self {
            Self::Bytes(bytes) => {
                let (next, rest) = bytes.split_at_checked(len).ok_or(io::ErrorKind::UnexpectedEof)?;
                *bytes = rest;
                Ok(next)
            }
            Self::File { file, buffer } => {
                buffer.resize(len, 0);
                file.read_exact(buffer)?;
                Ok(buffer)
            }
        }
    }

    /// Reads the header of a file of `len` bytes; all its byte ranges lie within the file, without gaps.
    fn read_header(&mut self, len: u64, limits: &Limits) -> io::Result<Checked<Metadata>> {
        if len < PREFIX_LEN {
            let first = self.next(usize::try_from(len).unwrap_or(0))?;
            return Ok(Err(foreign(first)));
        }
        let mut prefix = [0; 8];
        prefix.copy_from_slice(self.next(8)?);
        let header_len = u64::from_le_bytes(prefix);
        let rest = len - PREFIX_LEN;
        // The length of a header of 2^32 bytes is that of no file in practice, but the first bytes of another format.
        if header_len > u64::from(u32::MAX) {
            return Ok(Err(foreign(&prefix)));
        }
        if header_len > limits.max_structure_bytes {
            let (what, limit) = ("bytes of the header".into(), limits.max_structure_bytes);
            return Ok(Err(LoadErrorKind::Limit { what, value: header_len, limit }));
        }
        if header_len > rest {
            let expected = PREFIX_LEN + header_len;
            return Ok(Err(LoadErrorKind::Truncated { expected, got: len }));
        }
        let header = self.next(usize::try_from(header_len).unwrap_or(usize::MAX))?;
        Ok(parse_header(header, len, limits))
    }

    /// Decodes the tensors that are taken and calls `store` with the index of the variable, the index of the element
    /// and its value.
    fn read_tensors<F: Float>(
        &mut self,
        layout: &Layout<F>,
        steps: &[Step],
        mut store: impl FnMut(usize, usize, F),
    ) -> io::Result<Checked<()>> {
        for step in steps {
            let (mut left, taken) = match *step {
                Step::Take { variable, float } => {
                    ((step.len(layout) * float.width()) as u64, Some((variable, float)))
                }
                Step::Skip { bytes } => (bytes, None),
            };
            let (mut index, mut first_invalid) = (0, None);
            while left > 0 {
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
                let bytes = self.next(len)?;
                left -= len as u64;
                let Some((variable, float)) = taken else { continue };
                float.decode(bytes, |value: F| {
                    if !value.is_finite() && first_invalid.is_none() {
                        first_invalid = Some((index, value));
                    }
                    store(variable, index, value);
                    index += 1;
                });
            }
            if let (Some((index, value)), Some(variable)) = (first_invalid, step.variable(layout)) {
                let (tensor, value) = (variable.name.clone(), value.to_string());
                return Ok(Err(LoadErrorKind::NonFinite { tensor, index, value }));
            }
        }
        Ok(Ok(()))
    }
}

/// Parses the header of a file of `len` bytes.
fn parse_header(header: &[u8], len: u64, limits: &Limits) -> Checked<Metadata> {
    let commas = header.iter().filter(|&&byte| byte == b',').count() as u64;
    let (needed, allowed) = (commas * BYTES_PER_COMMA, len.saturating_add(limits.max_extra_bytes));
    if needed > allowed {
        let what = "bytes of memory for the header".into();
        return Err(LoadErrorKind::Limit { what, value: needed, limit: allowed });
    }
    let malformed = |got: String| LoadErrorKind::Malformed {
        offset: PREFIX_LEN,
        expected: "the header of a safetensors file".into(),
        got: excerpt(&got),
    };
    let metadata: Metadata =
        serde_json::from_slice(header).map_err(|problem| malformed(problem.to_string()))?;
    let end = (PREFIX_LEN + header.len() as u64).saturating_add(metadata.data_len() as u64);
    match end {
        _ if end > len => Err(LoadErrorKind::Truncated { expected: end, got: len }),
        _ if end < len => Err(LoadErrorKind::Trailing { end, extra: len - end }),
        _ => Ok(metadata),
    }
}

fn foreign(first: &[u8]) -> LoadErrorKind {
    let hint = "write the weights with save_safetensors, or with save_file of safetensors in Python".into();
    LoadErrorKind::Format { expected: "a safetensors file".into(), got: describe(first), hint }
}

/// What to do with the bytes of the file in their order, and the names that are skipped.
fn match_tensors<F: Float>(
    layout: &Layout<F>,
    header: Metadata,
    options: &LoadOptions<'_, F>,
) -> Checked<(Vec<Step>, Vec<String>)> {
    let mut skipped = Vec::new();
    let mut taken = Vec::new();
    for (index, variable) in layout.variables.iter().enumerate() {
        match check_tensor(&variable.name, variable.shape.dims(), header.info(&variable.name)) {
            Ok((start, float)) => taken.push((start, index, float)),
            Err(_) if options.skip_mismatch => skipped.push(variable.name.clone()),
            Err(problem) => return Err(problem),
        }
    }
    let known: HashSet<&str> = layout.variables.iter().map(|variable| &*variable.name).collect();
    for name in header.offset_keys().iter().filter(|name| !known.contains(&***name)) {
        if !options.skip_mismatch {
            let shape = header.info(name).map_or_else(String::new, |info| shape_text(&info.shape));
            let (expected, got) = ("only weights that the model has".into(), format!("shape {shape}"));
            return Err(LoadErrorKind::Tensor { tensor: excerpt(name), expected, got });
        }
        skipped.push(excerpt(name));
    }
    taken.sort_unstable_by_key(|&(start, ..)| start);
    let (mut steps, mut end) = (Vec::with_capacity(taken.len()), 0);
    for (start, variable, float) in taken {
        if start > end {
            steps.push(Step::Skip { bytes: (start - end) as u64 });
        }
        let step = Step::Take { variable, float };
        end = start + step.len(layout) * float.width();
        steps.push(step);
    }
    Ok((steps, skipped))
}

/// Where the tensor of a variable begins, and the type of its elements.
fn check_tensor(name: &str, shape: &[usize], info: Option<&TensorInfo>) -> Checked<(usize, FloatType)> {
    let mismatch =
        |expected: String, got: String| LoadErrorKind::Tensor { tensor: name.into(), expected, got };
    let Some(info) = info else {
        return Err(mismatch(format!("shape {}", shape_text(shape)), "no such tensor in the file".into()));
    };
    if info.shape != shape {
        return Err(mismatch(
            format!("shape {}", shape_text(shape)),
            format!("shape {}", shape_text(&info.shape)),
        ));
    }
    match FloatType::of(info.dtype) {
        Some(float) => Ok((info.data_offsets.0, float)),
        None => Err(mismatch("elements of type F16, BF16, F32 or F64".into(), info.dtype.to_string())),
    }
}
