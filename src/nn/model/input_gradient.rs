//! Gradients with respect to the inputs, and the activations of inner layers.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::{InputElement, Inputs};
use crate::nn::gradient_slots::{Deltas, Wanted};
use crate::nn::layer::Shape;
use crate::nn::model::Model;
use crate::nn::workspace::{GlobalPass, PassState, Workspace};
use crate::validate::shape_text;
use ndarray::{Array, Array2, ArrayBase, ArrayD, Data, Dimension};

/// Inputs with respect to which [`Model::input_gradient`] differentiates: an array, or a tuple of arrays.
pub trait Differentiable<'a, F: Float>: Into<Inputs<'a, F>> {
    /// The gradient: an array of the input's shape, or a tuple of them.
    type Gradient;

    /// Reshapes the gradients, one matrix for each input.
    #[doc(hidden)]
    fn gradient(shapes: &[Vec<usize>], gradients: Vec<Vec<F>>) -> Result<Self::Gradient>;
}

/// The gradient of one input in the shape of its array.
fn shaped<F: Float, D: Dimension>(shape: &[usize], values: Vec<F>) -> Result<Array<F, D>> {
    let wrong = || Error::shape("input_gradient", "a gradient of the input's shape", shape_text(shape));
    ArrayD::from_shape_vec(shape, values).map_err(|_| wrong())?.into_dimensionality().map_err(|_| wrong())
}

impl<'a, F, S, D> Differentiable<'a, F> for &'a ArrayBase<S, D>
where
    F: Float,
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
{
    type Gradient = Array<F, D>;

    fn gradient(shapes: &[Vec<usize>], gradients: Vec<Vec<F>>) -> Result<Self::Gradient> {
        match (shapes, <[Vec<F>; 1]>::try_from(gradients)) {
            ([shape], Ok([values])) => shaped(shape, values),
            _ => Err(Error::shape("input_gradient", "one array", shapes.len())),
        }
    }
}

macro_rules! differentiable_tuples {
    ($(($n:literal $($array:ident $storage:ident $dimension:ident)*))*) => {$(
        impl<'a, F: Float, $($storage, $dimension),*> Differentiable<'a, F>
            for ($(&'a ArrayBase<$storage, $dimension>,)*)
        where
            $($storage: Data<Elem: InputElement<F>>, $dimension: Dimension,)*
        {
            type Gradient = ($(Array<F, $dimension>,)*);

            #[allow(non_snake_case, reason = "the names of the type parameters")]
            fn gradient(shapes: &[Vec<usize>], gradients: Vec<Vec<F>>) -> Result<Self::Gradient> {
                let mut pairs = shapes.iter().zip(gradients);
                $(
                    let Some((shape, values)) = pairs.next() else {
                        return Err(Error::shape("input_gradient", concat!($n, " arrays"), shapes.len()));
                    };
                    let $array = shaped(shape, values)?;
                )*
                Ok(($($array,)*))
            }
        }
    )*};
}
differentiable_tuples! { ("2" A S1 D1 B S2 D2) ("3" A S1 D1 B S2 D2 C S3 D3) ("4" A S1 D1 B S2 D2 C S3 D3 E S4 D4) }

/// The shapes of the input arrays, and the gradient with respect to each.
type InputGradients<F> = (Vec<Vec<usize>>, Vec<Vec<F>>);

impl<F: Float> Model<F> {
    /// Predicts, and computes the gradient of a function of the output with respect to the inputs, in inference mode. `dy` returns
    /// the gradient of the function with respect to the output: all ones for the sum of the outputs, a column of ones for the
    /// probability of one class.
    ///
    /// # Shapes
    /// `dy` receives and returns (batch, outputs). The result is the output and a gradient of the shape of `x`, for several inputs
    /// a tuple.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); a `dy` of another shape or with values that are not finite; an input whose values are
    /// indices of an [`Embedding`](crate::layers::Embedding), which has no gradient.
    ///
    /// # Examples
    /// How the output of `y = w·x` depends on `x`:
    /// ```
    /// use axonal::ndarray::{Array2, array};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut model: Model<f64> = Sequential::new(2).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::new())?;
    /// model.set_weight("0.dense/kernel", &array![[3.0], [-2.0]])?;
    /// let (y, dx) = model.input_gradient(&array![[1.0, 1.0]], |y| Array2::ones(y.raw_dim()))?;
    /// assert_eq!((y, dx), (array![[1.0]], array![[3.0, -2.0]]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn input_gradient<'x, X: Differentiable<'x, F>>(
        &self,
        x: X,
        dy: impl FnOnce(&Array2<F>) -> Array2<F>,
    ) -> Result<(Array2<F>, X::Gradient)> {
        if self.outputs.len() > 1 {
            let option = "a model with several outputs";
            let hint = "use input_gradient_of with the names of layers";
            return Err(Error::Misplaced { context: "input_gradient", option, hint });
        }
        let layers = [self.layout.outputs[0]];
        let mut y = None;
        let flat = |outputs: Vec<ArrayD<F>>| {
            let output = outputs.into_iter().next().unwrap_or_default();
            let rows = output.shape().first().copied().unwrap_or(0);
            let columns = output.len() / rows.max(1);
            let matrix =
                Array2::from_shape_vec((rows, columns), output.into_iter().collect()).unwrap_or_default();
            let gradient = dy(&matrix);
            y = Some(matrix);
            vec![gradient.into_dyn()]
        };
        let (shapes, gradients) = self.gradients(x.into(), &layers, "input_gradient", flat)?;
        Ok((y.unwrap_or_default(), X::gradient(&shapes, gradients)?))
    }

    /// As [`input_gradient`](Self::input_gradient), for a function of the outputs of several layers, by name: inner activations, as
    /// in deep dream and style transfer.
    ///
    /// # Shapes
    /// `dy` receives the outputs of the layers, (batch, …), and returns their gradients in the same order and shapes.
    ///
    /// # Errors
    /// As [`input_gradient`](Self::input_gradient); a name that no layer has.
    pub fn input_gradient_of<'x, X: Differentiable<'x, F>>(
        &self,
        x: X,
        layers: &[impl AsRef<str>],
        dy: impl FnOnce(&[ArrayD<F>]) -> Vec<ArrayD<F>>,
    ) -> Result<(Vec<ArrayD<F>>, X::Gradient)> {
        let layers = self.layers_named(layers)?;
        let mut seen = Vec::new();
        let both = |outputs: Vec<ArrayD<F>>| {
            let gradients = dy(&outputs);
            seen = outputs;
            gradients
        };
        let (shapes, gradients) = self.gradients(x.into(), &layers, "input_gradient_of", both)?;
        Ok((seen, X::gradient(&shapes, gradients)?))
    }

    /// The outputs of layers, by name, in inference mode: (batch, …) each.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); a name that no layer has.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new(2)
    ///     .add(Dense::new(3).activation(Activation::Relu))
    ///     .named("hidden")
    ///     .add(Dense::new(1))
    ///     .compile(Sgd::new(0.1), MeanSquaredError::new())?;
    /// let seen = model.activations(&array![[1.0, 2.0]], &["hidden"])?;
    /// assert_eq!(seen[0].shape(), [1, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn activations<'x>(
        &self,
        x: impl Into<Inputs<'x, F>>,
        layers: &[impl AsRef<str>],
    ) -> Result<Vec<ArrayD<F>>> {
        let layers = self.layers_named(layers)?;
        let (workspace, batch) = self.inferred(x.into(), "activations")?;
        self.outputs_of(&workspace, &layers, batch)
    }

    fn layers_named(&self, names: &[impl AsRef<str>]) -> Result<Vec<usize>> {
        names.iter().map(|name| self.layout.layer_named(name.as_ref())).collect()
    }

    /// A workspace after a forward pass over all samples, and their number.
    fn inferred(&self, x: Inputs<'_, F>, what: &str) -> Result<(Workspace<F>, usize)> {
        let xs = self.input_rows("x", x, false)?;
        for (input, x) in xs.iter().enumerate() {
            self.check_values("x", input, x)?;
        }
        let batch = xs[0].nrows();
        self.layout.check_batch_size(what, batch, batch)?;
        let mut workspace = Workspace::with_input(&self.layout, batch)?;
        workspace.start_from(&self.state);
        workspace.copy_inputs(&xs, 0..batch);
        let state = PassState::Infer { state: &self.state, backward_follows: true };
        workspace.forward(&self.layout, &self.params, state, None, batch, &[]);
        workspace.check_indices(&self.layout, batch)?;
        Ok((workspace, batch))
    }

    /// Copies of the outputs of layers.
    fn outputs_of(&self, workspace: &Workspace<F>, layers: &[usize], batch: usize) -> Result<Vec<ArrayD<F>>> {
        let output = |&layer: &usize| {
            let shape = batch_shape(batch, self.layout.nodes[layer].plan.output_shape());
            let values = workspace.layer_output(layer, batch).to_vec();
            ArrayD::from_shape_vec(shape, values)
                .map_err(|_| Error::shape("activations", "the shape of the layer's output", "another length"))
        };
        layers.iter().map(output).collect()
    }

    /// The shapes of the inputs and the gradients with respect to them.
    fn gradients(
        &self,
        x: Inputs<'_, F>,
        layers: &[usize],
        what: &str,
        dy: impl FnOnce(Vec<ArrayD<F>>) -> Vec<ArrayD<F>>,
    ) -> Result<InputGradients<F>> {
        if let Some(input) = self.layout.inputs.iter().find(|input| input.indices.is_some()) {
            let got = format!(
                "indices of an embedding{}",
                match input.name.as_str() {
                    "" => String::new(),
                    name => format!(" in input {name:?}"),
                }
            );
            let expected =
                "inputs that are real numbers; take the gradient of the embedding's output instead";
            return Err(Error::shape(what, expected, got));
        }
        let shapes: Vec<Vec<usize>> = x.arrays().iter().map(|array| array.shape().to_vec()).collect();
        let (mut workspace, batch) = self.inferred(x, what)?;
        let given = dy(self.outputs_of(&workspace, layers, batch)?);
        self.check_given(&given, layers, batch, what)?;
        let mut deltas = Deltas::new(&self.layout, layers, Wanted::Inputs, batch)?;
        deltas.clear_inputs();
        for (index, (&layer, given)) in layers.iter().zip(&given).enumerate() {
            let delta = deltas.output_mut(layer, given.len());
            let repeats = layers[..index].contains(&layer);
            for (slot, &value) in delta.iter_mut().zip(given) {
                *slot = if repeats { *slot + value } else { value };
            }
        }
        // Layers add the gradients of their parameters, which are not used.
        let mut grads = Buffer::zeros("gradients", self.layout.params_len)?;
        let mut params = self.params.clone();
        let finite = workspace.backward(
            &self.layout,
            &mut params,
            &mut grads,
            &mut deltas,
            None,
            batch,
            GlobalPass::alone(batch),
            &[],
            |_, _, _, _, _| {},
        );
        if !finite {
            return Err(Error::non_finite(format!("{what}: the gradient of a layer's output"), f64::NAN, []));
        }
        let gradients = self.layout.inputs.iter().enumerate();
        let gradients =
            gradients.map(|(input, known)| deltas.input(input, batch * known.shape.size()).to_vec());
        Ok((shapes, gradients.collect()))
    }

    /// Errors unless there is a finite gradient for each layer, of the shape of its output.
    fn check_given(&self, given: &[ArrayD<F>], layers: &[usize], batch: usize, what: &str) -> Result<()> {
        if given.len() != layers.len() {
            return Err(Error::shape(
                what,
                format!("{} gradients, one for each layer", layers.len()),
                given.len(),
            ));
        }
        for (&layer, given) in layers.iter().zip(given) {
            let node = &self.layout.nodes[layer];
            let shape = batch_shape(batch, node.plan.output_shape());
            let same = given.shape() == shape || given.shape() == [batch, node.output_len()];
            if !same {
                let owner = format!("{what}: the gradient of layer {}", node.name);
                return Err(Error::shape(owner, shape_text(&shape), shape_text(given.shape())));
            }
            crate::validate::finite(&format!("{what}: the gradient of layer {}", node.name), given)?;
        }
        Ok(())
    }
}

fn batch_shape(batch: usize, sample: &Shape) -> Vec<usize> {
    std::iter::once(batch).chain(sample.dims().iter().copied()).collect()
}
