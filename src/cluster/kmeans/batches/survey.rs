//! The first passes over batches: the number of rows, the moments, and bounds of values and weights.

use super::pieces::RowPasses;
use crate::cluster::kmeans::fit::{check_heaviest, too_close};
use crate::cluster::kmeans::moments::{Moments, SumsOfSquares, column_sums_of_chunks, mean_of};
use crate::cluster::kmeans::ranks::tree_sums::{SequentialSums, TreeSums};
use crate::cluster::kmeans::ranks::{CHUNK, Ranks};
use crate::cluster::kmeans::samples::too_large;
use crate::cluster::kmeans::sums::fixed_point::{FixedPoint, raise_to};
use crate::error::{Error, Result};
use crate::float::Float;

/// What is known of all rows before the first iteration.
#[derive(Debug)]
pub(crate) struct Survey<F> {
    /// All rows as those of one rank.
    pub(crate) ranks: Ranks<'static>,
    pub(crate) moments: Moments<F>,
    /// The largest weight, if rows have weights.
    pub(crate) heaviest: Option<f64>,
    /// The number of rows with weight.
    pub(crate) with_weight: usize,
    /// The largest magnitude in each column.
    farthest: Vec<f64>,
    /// The weight of each chunk.
    pub(crate) chunk_weights: Vec<f64>,
}

/// The sums of the first pass.
#[derive(Debug)]
struct FirstPass {
    columns: SequentialSums,
    n_rows: usize,
    n_features: usize,
    heaviest: Option<f64>,
    with_weight: usize,
    farthest: Vec<f64>,
    chunk_weights: Vec<f64>,
}

impl FirstPass {
    /// Reads all rows. `check_columns` is called with the number of columns before the first row is used.
    fn read<F: Float>(
        passes: &mut RowPasses<'_, F>,
        check_columns: impl Fn(usize) -> Result<()>,
    ) -> Result<Self> {
        let mut found: Option<Self> = None;
        passes.for_each(|piece| {
            let samples = piece.samples;
            let n_features = samples.n_features;
            if found.is_none() {
                check_columns(n_features)?;
            }
            let found = found.get_or_insert_with(|| Self {
                columns: SequentialSums::new(n_features),
                n_rows: 0,
                n_features,
                heaviest: None,
                with_weight: 0,
                farthest: vec![0.0; n_features],
                chunk_weights: Vec::new(),
            });
            column_sums_of_chunks(&samples).iter().for_each(|chunk| found.columns.push(&chunk.sums));
            found.n_rows += samples.n_samples();
            if size_of::<F>() > size_of::<f32>() {
                raise_to(&mut found.farthest, &samples);
            }
            match samples.weights {
                None => {
                    found.with_weight += samples.n_samples();
                    let lens = (0..samples.n_samples()).step_by(CHUNK);
                    let lens = lens.map(|first| CHUNK.min(samples.n_samples() - first) as f64);
                    found.chunk_weights.extend(lens);
                }
                Some(weights) => {
                    let largest = weights.iter().map(|weight| weight.as_f64()).fold(0.0, f64::max);
                    found.heaviest = Some(found.heaviest.unwrap_or(0.0).max(largest));
                    found.with_weight += weights.iter().filter(|weight| **weight > F::zero()).count();
                    let sums =
                        weights.chunks(CHUNK).map(|chunk| chunk.iter().map(|w| w.as_f64()).sum::<f64>());
                    found.chunk_weights.extend(sums);
                }
            }
            Ok(())
        })?;
        found.ok_or_else(|| Error::Empty {
            what: "fit_batches: the first pass".into(),
            shape: "(0, …)".into(),
            needed: "sample",
        })
    }
}

impl<F: Float> Survey<F> {
    /// Reads all rows a few times. Refuses rows and weights as a plain fit does.
    pub(crate) fn new(
        passes: &mut RowPasses<'_, F>,
        spherical: bool,
        check_columns: impl Fn(usize) -> Result<()>,
    ) -> Result<Self> {
        let first = FirstPass::read(passes, check_columns)?;
        let FirstPass { columns, n_rows, n_features, heaviest, with_weight, farthest, chunk_weights } = first;
        if with_weight == 0 {
            let problem = "all weights are zero".into();
            return Err(Error::Weight { what: "sample_weight".into(), problem });
        }
        let ranks = Ranks::alone(n_rows);
        let Some(mean) = mean_of(&columns.into_tree(&ranks).totals(), n_rows) else {
            return Err(out_of_range(passes));
        };
        let squares = squares_about(passes, &mean, heaviest.is_some(), &ranks)?;
        if !squares.are_in_range::<F>() {
            return Err(out_of_range(passes));
        }
        let mut moments = Moments::from_squares(mean, squares, n_rows)?;
        if moments.mean_variance < F::min_positive_value().as_f64() {
            check_distinct(passes)?;
        }
        check_heaviest(heaviest, moments.mean_variance)?;
        if spherical {
            let origin = vec![F::zero(); n_features];
            moments = moments.with_origin(squares_about(passes, &origin, heaviest.is_some(), &ranks)?);
        }
        Ok(Self { ranks, moments, heaviest, with_weight, farthest, chunk_weights })
    }

    /// The number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.ranks.n_rows()
    }

    /// The number of columns.
    pub(crate) fn n_features(&self) -> usize {
        self.moments.mean.len()
    }

    /// The grid of the sums of clusters.
    pub(crate) fn grid(&self) -> Result<FixedPoint> {
        FixedPoint::with_bounds(self.n_rows(), self.heaviest, || Ok(self.farthest.clone()), &self.moments)
    }

    /// The sums of the weights of the chunks.
    pub(crate) fn weight_sums(&self) -> TreeSums<'_> {
        let mut sums = SequentialSums::new(1);
        self.chunk_weights.iter().for_each(|weight| sums.push(&[*weight]));
        sums.into_tree(&self.ranks)
    }
}

/// The sums of squares of all rows about a point.
fn squares_about<F: Float>(
    passes: &mut RowPasses<'_, F>,
    point: &[F],
    is_weighted: bool,
    ranks: &Ranks<'_>,
) -> Result<SumsOfSquares> {
    let mut sums = SequentialSums::new(SumsOfSquares::width(point.len()));
    passes.for_each(|piece| {
        let chunks = SumsOfSquares::of_chunks(point, &piece.samples);
        chunks.iter().for_each(|chunk| sums.push(&chunk.sums));
        Ok(())
    })?;
    Ok(SumsOfSquares::from_totals(sums.into_tree(ranks).totals(), is_weighted, ranks.n_rows()))
}

/// The error of rows that spread too far; it names the largest value.
fn out_of_range<F: Float>(passes: &mut RowPasses<'_, F>) -> Error {
    let mut largest = (F::zero(), 0, 0);
    let pass = passes.for_each(|piece| {
        for (index, value) in piece.samples.values.iter().enumerate() {
            if value.abs() > largest.0.abs() {
                let d = piece.samples.n_features;
                largest = (*value, piece.first_row + index / d, index % d);
            }
        }
        Ok(())
    });
    let (value, row, feature) = largest;
    pass.err().unwrap_or_else(|| too_large("KMeans", value, row, feature))
}

/// Refuses rows that differ by so little that all distances underflow.
fn check_distinct<F: Float>(passes: &mut RowPasses<'_, F>) -> Result<()> {
    let mut first: Vec<F> = Vec::new();
    passes.for_each(|piece| {
        let samples = piece.samples;
        if first.is_empty() {
            first = samples.row(0).to_vec();
        }
        match samples.values.chunks_exact(samples.n_features).position(|row| row != first) {
            Some(row) => Err(too_close("KMeans", samples.row(row), &first, piece.first_row + row)),
            None => Ok(()),
        }
    })
}
