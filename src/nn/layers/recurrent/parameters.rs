//! The parameters of a recurrent layer: their declaration in the plan, and their ranges in the flat buffers.

use super::cell::{Cell, Recurrence, split_off_front};
use super::layout::ScanLayout;
use crate::error::Result;
use crate::nn::layer::{OutputValues, Plan, Shape};

/// Declares the parameters, the carried state, the output shape and the cache of a recurrent layer.
pub(super) fn plan<C: Cell>(cell: &C, input: &Shape) -> Result<Plan> {
    let (layout, options) = (ScanLayout::new(cell, input)?, cell.options());
    let mut plan = layout
        .output()
        .input(input)
        .param("kernel", [layout.features, layout.gate_width], options.kernel_initializer.clone())
        .regularizer(options.kernel_regularizer)
        .constraint(options.kernel_constraint)
        .param("recurrent_kernel", [layout.units, layout.gate_width], options.recurrent_initializer.clone())
        .regularizer(options.recurrent_regularizer)
        .constraint(options.recurrent_constraint);
    if options.use_bias {
        let shape = match layout.recurrence {
            Recurrence::Separate => Shape::from([2, layout.gate_width]),
            Recurrence::Joint | Recurrence::ResetState => Shape::from(layout.gate_width),
        };
        plan = plan
            .param("bias", shape, cell.bias_initializer())
            .regularizer(options.bias_regularizer)
            .constraint(options.bias_constraint);
    }
    plan = plan.activity_regularizer(options.activity_regularizer).uses_mask().reads_sequence();
    plan = plan.output_values(OutputValues::Activated(options.activation));
    if options.go_backwards {
        plan = plan.reads_backwards();
    }
    if let Some(batch) = options.stateful {
        plan = C::STATES.iter().fold(plan, |plan, name| plan.carried(*name, batch, layout.units));
    }
    if options.return_sequences {
        plan = plan.passes_mask();
    }
    Ok(plan.cache(layout.cache_per_sample()).batch_cache(layout.cache_per_batch()))
}

/// The parameters of a recurrent layer, or their gradients, in the order of the plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights<T> {
    /// `W`, (features, gates · units).
    pub(super) kernel: T,
    /// `R`, (units, gates · units).
    pub(super) recurrent_kernel: T,
    /// `b`, (gates · units); empty with `use_bias(false)`.
    pub(super) bias: T,
    /// `b₁`, (gates · units), for [`Recurrence::Separate`]; otherwise empty.
    pub(super) recurrent_bias: T,
}

impl<'a, F> Weights<&'a [F]> {
    /// The bias, if the layer has one.
    pub(super) fn bias(&self) -> Option<&'a [F]> {
        Some(self.bias).filter(|bias| !bias.is_empty())
    }
}

impl ScanLayout {
    /// Lengths of kernel, recurrent kernel and bias, given that of all parameters.
    fn weight_lens(&self, params: usize) -> [usize; 3] {
        let [kernel, recurrent_kernel] = [self.features, self.units].map(|rows| rows * self.gate_width);
        let biases = params - kernel - recurrent_kernel;
        let bias = if self.recurrence == Recurrence::Separate { biases / 2 } else { biases };
        [kernel, recurrent_kernel, bias]
    }

    /// Splits the parameters.
    pub(super) fn split_params<'a, F>(&self, params: &'a [F]) -> Weights<&'a [F]> {
        let [kernel, recurrent_kernel, bias] = self.weight_lens(params.len());
        let (kernel, rest) = params.split_at(kernel);
        let (recurrent_kernel, rest) = rest.split_at(recurrent_kernel);
        let (bias, recurrent_bias) = rest.split_at(bias);
        Weights { kernel, recurrent_kernel, bias, recurrent_bias }
    }

    /// Splits the gradients toward the parameters.
    pub(super) fn split_grads<'a, F>(&self, mut grads: &'a mut [F]) -> Weights<&'a mut [F]> {
        let [kernel, recurrent_kernel, bias] =
            self.weight_lens(grads.len()).map(|len| split_off_front(&mut grads, len));
        Weights { kernel, recurrent_kernel, bias, recurrent_bias: grads }
    }
}
