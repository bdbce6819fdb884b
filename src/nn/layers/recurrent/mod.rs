//! Recurrent layers: SimpleRNN, LSTM and GRU, each a [`Cell`](cell::Cell) run over the time steps by one [`scan`].
//!
//! A cell is the equations of one time step of one sample, on slices. The scan owns everything that all recurrent
//! layers share: padding masks, the direction, dropout of inputs and states, the state carried between batches, the
//! output of all steps or of the last one, the layout of the cache, and every product with a kernel. The product of the
//! input with the kernel is computed for all steps together; a step computes the product of the previous output with
//! the recurrent kernel.
//!
//! A new cell is one file: the layer's options, its [`Cell`](cell::Cell) implementation, and a line with
//! `layer_by_scan!`.

mod cache;
mod cell;
mod gru;
mod layout;
mod lstm;
mod options;
mod parameters;
mod scan;
mod simple_rnn;
mod variational_dropout;

pub use gru::Gru;
pub use lstm::Lstm;
pub use simple_rnn::SimpleRnn;

#[cfg(test)]
mod tests {
    use super::cell::{BackwardStep, Cell, ForwardStep, activation_backward, vectors, vectors_mut};
    use super::options::RecurrentOptions;
    use super::scan::layer_by_scan;
    use super::{Gru, Lstm, SimpleRnn};
    use crate::activation::Activation::{Sigmoid, Tanh};
    use crate::float::Float;
    use crate::nn::layer::{Forward, Layer, Mask, Mode, Shape};
    use ndarray::{Array2, array};
    use serde::Serialize;

    /// Update gate RNN (Collins et al. 2016, arXiv:1611.09913): `g = σ(a_g)`, `n = tanh(aₙ)`, `h = g ∘ h₋₁ + (1 - g) ∘ n`.
    #[derive(Debug, Serialize)]
    struct UpdateGateRnn {
        units: usize,
        options: RecurrentOptions,
    }

    impl Cell for UpdateGateRnn {
        const KIND: &'static str = "test.update_gate_rnn";
        const GATES: usize = 2;
        const STATES: &'static [&'static str] = &["h"];

        fn units(&self) -> usize {
            self.units
        }

        fn options(&self) -> &RecurrentOptions {
            &self.options
        }

        fn forward_step<F: Float>(&self, step: ForwardStep<'_, F>) {
            step.gates.copy_from_slice(step.a);
            Sigmoid.apply(self.units, &mut step.gates[..self.units]);
            Tanh.apply(self.units, &mut step.gates[self.units..]);
            let [g, n] = vectors(step.gates, self.units);
            // h = g ∘ h₋₁ + (1 - g) ∘ n
            for (j, h) in step.state.iter_mut().enumerate() {
                *h = g[j] * *h + (F::one() - g[j]) * n[j];
            }
        }

        fn backward_step<F: Float>(&self, mut step: BackwardStep<'_, F>) {
            let [g, n] = vectors(step.gates, self.units);
            let [dg, dn] = vectors_mut(step.dgates, self.units);
            // h = g ∘ h₋₁ + (1 - g) ∘ n  =>  dg = dh ∘ (h₋₁ - n), dn = dh ∘ (1 - g), dh₋₁ = dh ∘ g
            for (j, dh) in step.dstate.iter_mut().enumerate() {
                dg[j] = *dh * (step.previous[j] - n[j]);
                dn[j] = *dh * (F::one() - g[j]);
                *dh *= g[j];
            }
            activation_backward(Sigmoid, self.units, 0..1, &mut step);
            activation_backward(Tanh, self.units, 1..2, &mut step);
        }
    }

    layer_by_scan!(UpdateGateRnn);

    fn layer(units: usize, return_sequences: bool, go_backwards: bool, dropout: f64) -> UpdateGateRnn {
        let options = RecurrentOptions {
            return_sequences,
            go_backwards,
            dropout,
            recurrent_dropout: dropout,
            ..RecurrentOptions::default()
        };
        UpdateGateRnn { units, options }
    }

    #[test]
    fn a_further_cell_computes_its_formula_under_the_scan() {
        let (layer, shape) = (layer(1, true, false, 0.0), Shape::from([2, 1]));
        let plan = Layer::<f64>::plan(&layer, &shape).unwrap();
        // kernel (1, 2), recurrent kernel (1, 2), bias (2).
        let params = [0.5, -1.0, 0.25, 2.0, 0.1, 0.2];
        let (x, mut y, mut cache) =
            (array![[1.5, -0.5]], Array2::zeros((1, 2)), vec![f64::NAN; plan.cache_len(1)]);
        let mode = Mode::Infer { state: &[] };
        layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
        let mut h = 0.0;
        for (&x, &y) in x.iter().zip(&y) {
            let g = 1.0 / (1.0 + f64::exp(-(0.5 * x + 0.25 * h + 0.1)));
            let n = f64::tanh(-x + 2.0 * h + 0.2);
            h = g * h + (1.0 - g) * n;
            assert!((y - h).abs() < 1e-14, "{y}, want {h}");
        }
    }

    /// Pre-activations, products with the recurrent kernel, gates, saved values and state after a step of `units` units.
    fn after_step<F: Float>(units: usize, n_gates: usize, step: impl Fn(ForwardStep<'_, F>)) -> [Vec<F>; 5] {
        let values = |n: usize, scale: f64| -> Vec<F> {
            // Zeros of both signs, small values, and values beyond the range of the functions.
            let special = [0.0, -0.0, 1e-30, -1e-30, 30.0, -120.0, 800.0, -800.0];
            let value = |i: usize| {
                if i.is_multiple_of(13) { special[i / 13 % 8] } else { (i as f64 * 0.7).sin() * scale }
            };
            (0..n).map(|i| F::of(value(i))).collect()
        };
        let (mut a, mut u) = (values(n_gates * units, 3.0), values(n_gates * units, 2.0));
        let (mut gates, mut saved) = (vec![F::nan(); n_gates * units], vec![F::nan(); units]);
        let mut state = values(2 * units, 1.5);
        let (recurrent, state_of_step) = (&mut u[..], &mut state[..(n_gates - 2) * units]);
        step(ForwardStep {
            a: &mut a,
            recurrent,
            gates: &mut gates,
            saved: &mut saved,
            state: state_of_step,
        });
        [a, u, gates, saved, state]
    }

    fn one_pass_has_the_bits_of_several<F: Float>() {
        let bits = |values: [Vec<F>; 5]| values.map(|v| format!("{v:?}"));
        for units in [1, 5, 16, 21, 64, 85, 130] {
            let (lstm, gru) = (Lstm::new(units), Gru::new(units));
            let one = after_step::<F>(units, 4, |step| lstm.forward_step(step));
            assert_eq!(bits(one), bits(after_step::<F>(units, 4, |step| lstm.step_by_activations(step))));
            let one = after_step::<F>(units, 3, |step| gru.forward_step(step));
            assert_eq!(bits(one), bits(after_step::<F>(units, 3, |step| gru.step_by_activations(step))));
        }
    }

    #[test]
    fn a_step_in_one_pass_has_the_bits_of_one_by_activations() {
        one_pass_has_the_bits_of_several::<f32>();
        one_pass_has_the_bits_of_several::<f64>();
    }

    /// The outputs of a pass before a backward pass, or of one that keeps one step.
    fn outputs(layer: &impl Layer<f32>, batch: usize, backward_follows: bool) -> Array2<f32> {
        let (steps, features) = (5, 7);
        let plan = layer.plan(&Shape::from([steps, features])).unwrap().input(Shape::from([steps, features]));
        let values = |n: usize| (0..n).map(|i| ((i * 37 % 101) as f32 - 50.0) / 60.0).collect::<Vec<_>>();
        let x = Array2::from_shape_vec((batch, steps * features), values(batch * steps * features)).unwrap();
        let (params, mut cache) = (values(plan.params_len()), vec![f32::NAN; plan.cache_len(batch)]);
        let mut y = Array2::from_elem((batch, plan.output_shape().size()), f32::NAN);
        let valid: Vec<bool> = (0..batch * steps).map(|i| i % 3 > 0 || i % steps == 0).collect();
        let pass = Forward::new(x.view(), y.view_mut(), &params, &mut cache, Mode::Infer { state: &[] });
        let pass = pass.masked(Some(Mask::new(&valid, steps))).planned(&plan);
        layer.forward(pass.before_backward(backward_follows));
        y
    }

    #[test]
    fn a_pass_that_keeps_one_step_has_the_bits_of_one_that_keeps_all() {
        fn check(layer: &impl Layer<f32>) {
            for batch in [1, 3, 4, 6, 40] {
                assert_eq!(outputs(layer, batch, false), outputs(layer, batch, true), "{layer:?}, {batch}");
            }
        }
        // Kernels with up to 64 columns, and with more, have different products.
        for units in [3, 40] {
            check(&Lstm::new(units).return_sequences(true));
            check(&Lstm::new(units).go_backwards(true).use_bias(false));
            check(&Gru::new(units).return_sequences(true));
            check(&Gru::new(units).reset_after(false).recurrent_dropout(0.3));
            check(&SimpleRnn::new(units).dropout(0.5));
        }
    }

    #[test]
    #[cfg(feature = "testing")]
    fn a_further_cell_holds_the_contract_of_a_layer() {
        for (return_sequences, go_backwards, dropout) in
            [(false, false, 0.0), (true, true, 0.0), (true, false, 0.3)]
        {
            let layer = layer(3, return_sequences, go_backwards, dropout);
            crate::testing::check_layer(&layer, [4, 2]).unwrap();
        }
    }
}
