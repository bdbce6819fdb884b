//! What one rank of a data-parallel run exchanges in a training step: the shares of the losses, gradients, changes of moving
//! statistics, and flags.

use super::ranks::{GlobalBatch, LossInputs, RankStep};
use crate::distributed::{self, Collective};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::StopToken;
use crate::nn::layout::zeros;
use crate::nn::loss::{Reduction, weight_in_whole};
use crate::nn::model::Model;
use crate::nn::targets::Prepared;
use std::ops::Range;

/// Values at the end of an exchange: whether a rank diverged, and whether one was interrupted.
const FLAGS: usize = 2;

/// The exchanges of a step, with their buffers.
pub(super) struct Exchange<'g, F> {
    group: &'g dyn Collective,
    /// The token of this rank, and the one that is set when the ranks have agreed to stop.
    token: Option<StopToken>,
    agreed_stop: StopToken,
    /// The state that the ranks share: moving statistics, not what is carried for each sample.
    shared_state: Vec<Range<usize>>,
    /// That state before the step.
    state_before: Vec<F>,
    /// Whether layers exchange values.
    synchronizes: bool,
    reductions: Vec<Reduction>,
    /// Whether the shares follow from the numbers of rows.
    shares_by_rows: bool,
    /// Scratch buffer for the divisors of the losses of this rank.
    divisors: Vec<f64>,
}

impl<'g, F: Float> Exchange<'g, F> {
    pub(super) fn new(
        group: &'g dyn Collective,
        token: Option<StopToken>,
        agreed_stop: StopToken,
        model: &Model<F>,
    ) -> Result<Self> {
        let (layout, outputs) = (&model.layout, &model.outputs);
        let shared = layout.nodes.iter().filter(|node| node.plan.batch_size().is_none());
        let shared_state: Vec<_> =
            shared.map(|node| node.state.clone()).filter(|state| !state.is_empty()).collect();
        let by_rows = |output: usize| {
            let loss = &outputs[output].loss;
            loss.batch_reduction() != Reduction::MeanWithSampleWeight
                && loss.ignored_label().is_none()
                && layout.output_mask(output).is_none()
        };
        Ok(Self {
            group,
            token,
            agreed_stop,
            state_before: zeros("moving statistics", shared_state.iter().map(Range::len).sum())?,
            shared_state,
            synchronizes: layout.nodes.iter().any(|node| node.plan.declares_synchronizing()),
            reductions: outputs.iter().map(|output| output.loss.batch_reduction()).collect(),
            shares_by_rows: (0..outputs.len()).all(by_rows),
            divisors: vec![0.0; outputs.len()],
        })
    }

    /// The divisor of the loss of an output over the rows of this rank.
    fn divisor(&self, output: usize, inputs: LossInputs<'_, F>) -> f64 {
        let LossInputs { model, workspace, batch, targets, weights, weights_per_sample } = inputs;
        if batch == 0 {
            return 0.0;
        }
        let width = weights_per_sample[output];
        let weights = (width > 0).then(|| &weights[output][..batch * width]);
        let mask = workspace.mask_by(&model.layout, model.layout.output_mask(output), batch);
        let shape = model.layout.output_shape(output);
        let positions = batch * shape.size() / shape.last().max(1);
        let ignored = model.outputs[output].loss.ignored_label();
        let is_ignored = |index: usize| match (&targets[output], ignored) {
            (Prepared::Labels { labels, .. }, Some(ignored)) => labels
                .get(index)
                .is_none_or(|&label| label >= shape.last() || i64::try_from(label) == Ok(ignored)),
            _ => false,
        };
        weight_in_whole(self.reductions[output], positions, weights, mask, is_ignored)
    }
}

impl<F: Float> RankStep<F> for Exchange<'_, F> {
    fn extra_len(&self) -> usize {
        self.state_before.len() + FLAGS
    }

    fn group(&self) -> Option<&dyn Collective> {
        self.synchronizes.then_some(self.group)
    }

    fn begin(&mut self, state: &[F], global: GlobalBatch) -> Result<()> {
        if self.synchronizes && global.least == 0 {
            let hint = "give every rank as many rows, or do not synchronize";
            let context = "a step in which a rank has no rows";
            return Err(Error::Misplaced { context, option: "a synchronized layer", hint });
        }
        let values = parts(&self.shared_state, state);
        self.state_before.iter_mut().zip(values).for_each(|(before, &value)| *before = value);
        Ok(())
    }

    fn shares(&mut self, inputs: LossInputs<'_, F>, global: GlobalBatch, shares: &mut [f64]) -> Result<()> {
        if self.shares_by_rows {
            for (share, reduction) in shares.iter_mut().zip(&self.reductions) {
                *share = if *reduction == Reduction::Sum { 1.0 } else { global.share(inputs.batch) };
            }
            return Ok(());
        }
        for output in 0..shares.len() {
            self.divisors[output] = self.divisor(output, inputs);
        }
        shares.copy_from_slice(&self.divisors);
        distributed::sum(self.group, shares)?;
        for ((share, own), reduction) in shares.iter_mut().zip(&self.divisors).zip(&self.reductions) {
            *share = match reduction {
                Reduction::Sum => 1.0,
                _ if *share > 0.0 => own / *share,
                _ => 0.0,
            };
        }
        Ok(())
    }

    fn all_go_on(&mut self, own: bool) -> Result<bool> {
        if !self.synchronizes {
            return Ok(own);
        }
        let mut all = [u64::from(own)];
        self.group.all_reduce((&mut all).into(), distributed::Reduction::Min)?;
        Ok(all[0] == 1)
    }

    fn exchange(
        &mut self,
        values: &mut [F],
        state: &mut [F],
        is_finite: bool,
        (batch, global): (usize, GlobalBatch),
    ) -> Result<bool> {
        let Some(first_extra) = values.len().checked_sub(self.extra_len()) else { return Ok(is_finite) };
        if batch == 0 || !is_finite {
            values.fill(F::zero());
        } else {
            let share = F::of(global.share(batch));
            let changes = values[first_extra..].iter_mut().zip(&self.state_before);
            changes
                .zip(parts(&self.shared_state, state))
                .for_each(|((change, &before), &after)| *change = (after - before) * share);
        }
        let first_flag = values.len() - FLAGS;
        let flag = |is_set: bool| if is_set { F::one() } else { F::zero() };
        values[first_flag] = flag(!is_finite);
        values[first_flag + 1] = flag(self.token.as_ref().is_some_and(StopToken::is_stopped));
        distributed::sum(self.group, values)?;
        if values[first_flag + 1] > F::zero() {
            self.agreed_stop.stop();
        }
        // The state before the step, and the changes by all ranks.
        let mut changed =
            self.state_before.iter().zip(&values[first_extra..]).map(|(&before, &change)| before + change);
        for range in &self.shared_state {
            state[range.clone()].iter_mut().zip(changed.by_ref()).for_each(|(state, new)| *state = new);
        }
        Ok(values[first_flag] == F::zero())
    }
}

/// The values of some ranges of a state.
fn parts<'s, F>(ranges: &'s [Range<usize>], state: &'s [F]) -> impl Iterator<Item = &'s F> {
    ranges.iter().flat_map(|range| &state[range.clone()])
}
