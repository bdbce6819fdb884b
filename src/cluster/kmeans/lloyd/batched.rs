//! Lloyd's iteration over passes: the results of [`Lloyd`](super::Lloyd) without a label for each row.
//!
//! A label is a function of the row and the centers. So the labels of an iteration are those of its centers, computed anew
//! where they are needed again; and where the centers stay the same, so do the labels. The sums of the clusters are added up
//! from all rows in each pass: they are exact, so this gives the bits of sums that follow the changed labels.

use super::inertia::{ChunkInertia, Inertia, inertias_of_chunks, not_above};
use super::shard::{AssignPass, AssignScratch, ScratchLayout, Shard};
use super::strategy::AssignStrategy;
use super::verbose::print_iteration;
use super::{LloydRun, MAX_SUM_BYTES, StoppingRules, total_shift};
use crate::cluster::kmeans::assign::elements_of_pass;
use crate::cluster::kmeans::assign::labels::NO_LABEL;
use crate::cluster::kmeans::assign::packed_centers::{PackedCenters, SquaredNorms};
use crate::cluster::kmeans::batches::pieces::{Piece, RowPasses};
use crate::cluster::kmeans::batches::survey::Survey;
use crate::cluster::kmeans::cluster_match::ClusterMatch;
use crate::cluster::kmeans::normalize::normalize;
use crate::cluster::kmeans::ranks::CHUNK;
use crate::cluster::kmeans::ranks::tree_sums::SequentialSums;
use crate::cluster::kmeans::samples::Samples;
use crate::cluster::kmeans::scratch_pool::ScratchPool;
use crate::cluster::kmeans::sums::Sums;
use crate::cluster::kmeans::sums::exact_sums::ExactSums;
use crate::cluster::kmeans::sums::fixed_point::FixedPoint;
use crate::cluster::kmeans::sums::relocation::{empty_clusters, farthest, move_point};
use crate::error::Result;
use crate::float::Float;
use crate::parallel::{threads_for, zip_chunks};
use std::sync::{Mutex, PoisonError};

/// The result of a run: one without labels, and the number of rows of each cluster.
#[derive(Debug)]
pub(crate) struct BatchedRun<F> {
    pub(crate) run: LloydRun<F>,
    pub(crate) sizes: Vec<usize>,
}

/// The buffers of runs over one data set.
#[derive(Debug)]
pub(crate) struct BatchedLloyd<'s, F> {
    survey: &'s Survey<F>,
    n_clusters: usize,
    norms: SquaredNorms,
    packed_centers: PackedCenters<F>,
    pool: ScratchPool<AssignScratch<F>>,
    scratch_layout: ScratchLayout,
    grid: FixedPoint,
    exact_sums: Mutex<ExactSums>,
    sums: Sums,
}

/// The state of an iteration that decides about the last labels.
#[derive(Debug, Clone, Copy, Default)]
struct Ending {
    is_exact: bool,
    relocated: bool,
    /// Whether the last iteration changed no center.
    strict: bool,
    converged: bool,
}

impl<'s, F: Float> BatchedLloyd<'s, F> {
    pub(crate) fn new(survey: &'s Survey<F>, n_clusters: usize) -> Result<Self> {
        let d = survey.n_features();
        let packed_centers = PackedCenters::new(n_clusters, d);
        let grid = survey.grid()?;
        let shard_rows = CHUNK.next_multiple_of(packed_centers.lanes());
        let n_shards = survey.n_rows().div_ceil(shard_rows).min(64);
        let elements = elements_of_pass(survey.n_rows().saturating_mul(d), n_clusters);
        let n_threads = threads_for(elements, n_shards);
        let has_own_sums = n_threads > 1 && n_threads.saturating_mul(grid.bytes(n_clusters)) <= MAX_SUM_BYTES;
        let scratch_layout = ScratchLayout { shard_rows, strategy: AssignStrategy::Stream, has_own_sums };
        let pool = ScratchPool::new(elements, n_shards, || scratch_layout.allocate(&packed_centers, &grid));
        let typical = survey.moments.mean_variance * d as f64;
        Ok(Self {
            survey,
            n_clusters,
            norms: SquaredNorms { typical, largest: f64::INFINITY },
            pool,
            scratch_layout,
            exact_sums: ExactSums::new(&grid, n_clusters).into(),
            grid,
            sums: Sums::new(n_clusters, d),
            packed_centers,
        })
    }

    /// Iterates from the initial centers (k, d).
    pub(crate) fn run(
        &mut self,
        passes: &mut RowPasses<'_, F>,
        initial: Vec<F>,
        rules: StoppingRules,
    ) -> Result<BatchedRun<F>> {
        let mut centers = initial;
        let mut previous = centers.clone();
        let mut history = Vec::new();
        let mut ending = Ending::default();
        while !ending.converged && history.len() < rules.max_iter {
            self.set_centers(&centers);
            self.assign_and_sum(passes)?;
            let moves = self.relocate_empty(passes, &centers)?;
            std::mem::swap(&mut previous, &mut centers);
            self.sums.write_means(&mut centers);
            if rules.spherical {
                normalize(&mut centers, self.survey.n_features());
            }
            let inertia = self.inertia_after(passes, &mut centers, &moves)?;
            history.push(not_above(inertia.value, history.last().copied()));
            let relocated = !moves.is_empty();
            let strict = !relocated && previous == centers;
            let shift = if strict { 0.0 } else { total_shift(&previous, &centers) };
            let converged = strict || shift <= rules.tolerance;
            ending = Ending { is_exact: inertia.is_exact, relocated, strict, converged };
            if rules.verbose {
                print_iteration(&history, converged.then_some((strict, shift)), rules.tolerance);
            }
        }
        self.finish(passes, (&previous, centers), history, ending)
    }

    /// The inertia and the sizes of the clusters of the last centers.
    fn finish(
        &mut self,
        passes: &mut RowPasses<'_, F>,
        (previous, centers): (&[F], Vec<F>),
        mut history: Vec<f64>,
        ending: Ending,
    ) -> Result<BatchedRun<F>> {
        let (sizes, direct, settled) = if ending.strict {
            let exact = self.exact_sums.get_mut().unwrap_or_else(PoisonError::into_inner);
            let sizes = exact.sizes().collect();
            // The packed centers are these.
            let direct = match ending.is_exact {
                true => None,
                false => Some(self.inertia(passes, &centers, &[], |_, _| {})?),
            };
            (sizes, direct, true)
        } else {
            let before = self.packed_about(previous);
            self.set_centers(&centers);
            let (sizes, inertia, changed) = self.label_and_compare(passes, &centers, Some(&before))?;
            (sizes, Some(inertia), changed == 0 && !ending.relocated)
        };
        let inertia = match history.pop() {
            // That of these labels about these centers.
            Some(inertia) if settled => {
                let exact = if ending.is_exact { inertia } else { direct.unwrap_or(inertia) };
                history.push(not_above(exact, history.last().copied()));
                exact
            }
            last => {
                history.extend(last);
                direct.unwrap_or(0.0)
            }
        };
        let (labels, n_iter, converged) = (Vec::new(), history.len(), ending.converged);
        Ok(BatchedRun { run: LloydRun { labels, centers, inertia, n_iter, converged, history }, sizes })
    }

    /// The number of rows of each cluster, and the inertia, about these centers.
    pub(crate) fn label(
        &mut self,
        passes: &mut RowPasses<'_, F>,
        centers: &[F],
    ) -> Result<(Vec<usize>, f64)> {
        self.set_centers(centers);
        let (sizes, inertia, _) = self.label_and_compare(passes, centers, None)?;
        Ok((sizes, inertia))
    }

    /// Whether the rows have the same clusters about two sets of centers, up to the names of the clusters.
    pub(crate) fn is_same_clustering(
        &mut self,
        passes: &mut RowPasses<'_, F>,
        a: &[F],
        b: &[F],
    ) -> Result<bool> {
        let mut clusters = ClusterMatch::new(self.n_clusters);
        let (a, b) = (self.packed_about(a), self.packed_about(b));
        let [mut of_a, mut of_b] = [Vec::new(), Vec::new()];
        passes.for_each(|Piece { samples, .. }| {
            self.assign(&a, &samples, false, &mut of_a);
            self.assign(&b, &samples, false, &mut of_b);
            clusters.add(&of_a, &of_b);
            Ok(())
        })?;
        Ok(clusters.is_same())
    }

    /// Packs centers.
    fn set_centers(&mut self, centers: &[F]) {
        self.packed_centers.set(centers, &self.survey.moments.mean, self.norms);
    }

    /// Other packed centers.
    fn packed_about(&self, centers: &[F]) -> PackedCenters<F> {
        let mut packed = PackedCenters::new(self.n_clusters, self.survey.n_features());
        packed.set(centers, &self.survey.moments.mean, self.norms);
        packed
    }

    /// Labels rows. Returns a bound of their ‖x − mean‖², infinite where it was not computed.
    fn assign(
        &self,
        centers: &PackedCenters<F>,
        samples: &Samples<'_, F>,
        with_sums: bool,
        labels: &mut Vec<u32>,
    ) -> f64 {
        let (n, mean) = (samples.n_samples(), &self.survey.moments.mean[..]);
        labels.clear();
        labels.resize(n, NO_LABEL);
        let pass = AssignPass {
            samples: *samples,
            mean,
            centers,
            pruning: None,
            sums: with_sums.then_some((&self.grid, &self.exact_sums)),
        };
        let ScratchLayout { shard_rows, strategy, .. } = self.scratch_layout;
        let shard = |first_row| Shard::new(first_row, &[], mean, centers, strategy);
        let mut shards: Vec<Shard<F>> = (0..n).step_by(shard_rows).map(shard).collect();
        let elements = elements_of_pass(samples.values.len(), self.n_clusters);
        zip_chunks(elements, &mut shards, labels, shard_rows, |shard, labels| {
            let allocate = || self.scratch_layout.allocate(centers, &self.grid);
            self.pool.with(allocate, |scratch| shard.assign(&pass, scratch, labels));
        });
        shards.iter().map(|shard| shard.max_square).fold(0.0, f64::max)
    }

    /// The sums of the clusters of all rows.
    fn assign_and_sum(&mut self, passes: &mut RowPasses<'_, F>) -> Result<()> {
        self.exact_sums.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        let (mut labels, mut largest) = (Vec::new(), 0.0_f64);
        passes.for_each(|Piece { samples, .. }| {
            largest = largest.max(self.assign(&self.packed_centers, &samples, true, &mut labels));
            Ok(())
        })?;
        if largest.is_finite() {
            self.norms.largest = largest;
        }
        let exact = self.exact_sums.get_mut().unwrap_or_else(PoisonError::into_inner);
        let of_threads = self.pool.iter_mut().filter_map(|scratch| scratch.sums.as_mut());
        of_threads.for_each(|own| exact.merge(own));
        exact.write_to(&self.grid, &mut self.sums);
        Ok(())
    }

    /// Moves each cluster without weight to a separate point: see
    /// [`relocate_empty`](crate::cluster::kmeans::sums::relocation::relocate_empty).
    fn relocate_empty(&mut self, passes: &mut RowPasses<'_, F>, centers: &[F]) -> Result<Vec<(usize, u32)>> {
        struct FarRow<F> {
            distance: f64,
            row: usize,
            point: Vec<F>,
            weight: f64,
            label: u32,
        }
        let empty = empty_clusters(&self.sums);
        if empty.is_empty() {
            return Ok(Vec::new());
        }
        let (mut labels, mut found) = (Vec::new(), Vec::<FarRow<F>>::new());
        passes.for_each(|Piece { first_row, samples }| {
            self.assign(&self.packed_centers, &samples, false, &mut labels);
            let own = farthest(&samples, centers, &labels, empty.len());
            found.extend(own.into_iter().map(|(distance, row)| FarRow {
                distance: distance.as_f64(),
                row: first_row + row,
                point: samples.row(row).to_vec(),
                weight: samples.weight(row),
                label: labels[row],
            }));
            found.sort_by(|a, b| b.distance.total_cmp(&a.distance).then(a.row.cmp(&b.row)));
            found.truncate(empty.len());
            Ok(())
        })?;
        if found.first().is_none_or(|row| row.distance == 0.0) {
            return Ok(Vec::new());
        }
        for (&cluster, far) in empty.iter().zip(&found) {
            move_point(
                &mut self.sums,
                (&far.point, far.weight * self.grid.scale),
                far.label as usize,
                cluster,
            );
        }
        Ok(found.iter().map(|far| far.row).zip(empty.into_iter().map(|cluster| cluster as u32)).collect())
    }

    /// As [`Lloyd::inertia_after`](super::Lloyd::inertia_after): the rows are read again where the sums cancel.
    fn inertia_after(
        &mut self,
        passes: &mut RowPasses<'_, F>,
        centers: &mut [F],
        moves: &[(usize, u32)],
    ) -> Result<Inertia> {
        let moments = &self.survey.moments;
        let explained = self.sums.explained(centers, &moments.mean) / self.grid.scale;
        let value = moments.total_sum_of_squares - explained;
        if let Some(inertia) = Inertia::of_sums::<F>(value, moments.rounding_error()) {
            return Ok(inertia);
        }
        let mut equal =
            EqualRows { points: vec![None; self.n_clusters], differ: vec![false; self.n_clusters] };
        let mut value = self.inertia(passes, centers, moves, |samples, labels| equal.add(samples, labels))?;
        if value > 0.0 && equal.snap(centers) {
            value = self.inertia(passes, centers, moves, |_, _| {})?;
        }
        Ok(Inertia { value, is_exact: true })
    }

    /// Σ wᵢ‖xᵢ − c‖² by the direct formula. The labels are those of the packed centers, but for a few rows that have moved;
    /// `visit` is called with them.
    fn inertia(
        &self,
        passes: &mut RowPasses<'_, F>,
        centers: &[F],
        moves: &[(usize, u32)],
        mut visit: impl FnMut(&Samples<'_, F>, &[u32]),
    ) -> Result<f64> {
        let (mut labels, mut inertia) = (Vec::new(), InertiaOfPieces::new());
        passes.for_each(|Piece { first_row, samples }| {
            self.assign(&self.packed_centers, &samples, false, &mut labels);
            let own = first_row..first_row + samples.n_samples();
            for (row, cluster) in moves.iter().filter(|(row, _)| own.contains(row)) {
                labels[row - first_row] = *cluster;
            }
            inertia.add(&samples, centers, &mut labels);
            visit(&samples, &labels);
            Ok(())
        })?;
        Ok(inertia.sums.into_tree(&self.survey.ranks).total(0))
    }

    /// The number of rows of each cluster about `centers`, which are packed, the inertia, and how many rows have other labels
    /// about the centers `before`.
    fn label_and_compare(
        &self,
        passes: &mut RowPasses<'_, F>,
        centers: &[F],
        before: Option<&PackedCenters<F>>,
    ) -> Result<(Vec<usize>, f64, usize)> {
        let (mut sizes, mut changed) = (vec![0; self.n_clusters], 0);
        let [mut labels, mut others] = [Vec::new(), Vec::new()];
        let mut inertia = InertiaOfPieces::new();
        passes.for_each(|Piece { samples, .. }| {
            self.assign(&self.packed_centers, &samples, false, &mut labels);
            if let Some(before) = before {
                self.assign(before, &samples, false, &mut others);
                changed += labels.iter().zip(&others).filter(|(a, b)| a != b).count();
            }
            labels.iter().for_each(|label| sizes[*label as usize] += 1);
            inertia.add(&samples, centers, &mut labels);
            Ok(())
        })?;
        Ok((sizes, inertia.sums.into_tree(&self.survey.ranks).total(0), changed))
    }
}

/// The inertia of pieces that come one after the other.
struct InertiaOfPieces {
    chunks: Vec<ChunkInertia>,
    sums: SequentialSums,
}

impl InertiaOfPieces {
    fn new() -> Self {
        Self { chunks: Vec::new(), sums: SequentialSums::new(1) }
    }

    fn add<F: Float>(&mut self, samples: &Samples<'_, F>, centers: &[F], labels: &mut [u32]) {
        self.chunks = ChunkInertia::of_rows(samples.n_samples());
        inertias_of_chunks(samples, centers, labels, &mut self.chunks);
        self.chunks.iter().for_each(|chunk| self.sums.push(std::slice::from_ref(&chunk.inertia)));
    }
}

/// Which clusters have equal rows only.
struct EqualRows<F> {
    /// The first row with weight of each cluster.
    points: Vec<Option<Vec<F>>>,
    differ: Vec<bool>,
}

impl<F: Float> EqualRows<F> {
    fn add(&mut self, samples: &Samples<'_, F>, labels: &[u32]) {
        for (row, &label) in labels.iter().enumerate() {
            let cluster = label as usize;
            if self.differ[cluster] || samples.weight(row) == 0.0 {
                continue;
            }
            match &self.points[cluster] {
                Some(point) => self.differ[cluster] = point != samples.row(row),
                None => self.points[cluster] = Some(samples.row(row).to_vec()),
            }
        }
    }

    /// Moves the center of each cluster whose rows are all equal to that row. Returns whether a center changed.
    fn snap(&self, centers: &mut [F]) -> bool {
        let mut changed = false;
        let n_features = centers.len() / self.points.len();
        let clusters = centers.chunks_exact_mut(n_features).zip(&self.points).zip(&self.differ);
        for ((center, point), _) in clusters.filter(|(_, differ)| !**differ) {
            if let Some(point) = point {
                changed |= center != point;
                center.copy_from_slice(point);
            }
        }
        changed
    }
}
