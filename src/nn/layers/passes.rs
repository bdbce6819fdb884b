//! Implementations of [`Layer`](crate::layers::Layer) that many layers share.

/// The passes of a layer that changes no value: the plan declares an activation, a penalty or another shape.
macro_rules! identity_passes {
    () => {
        fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
            y.assign(&x);
        }

        fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
            dx.assign(&dy);
        }
    };
}
pub(crate) use identity_passes;

/// Implements [`Layer`](crate::layers::Layer) for a layer whose method `geometry` computes, from the input shape, the
/// value that has the plan and the passes. It takes the layer's kind for its error messages. Without a plan there is
/// no input shape, and the passes return NaN.
macro_rules! geometry_layer {
    ($layer:ident: $kind:literal) => {
        impl<F: Float> Layer<F> for $layer {
            $crate::float::precompiled::into_arc!($layer: Layer<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn plan(&self, input: &Shape) -> Result<Plan> {
                Ok(self.geometry($kind, input)?.plan(input))
            }

            fn forward(&self, mut pass: Forward<'_, F>) {
                match pass.plan.and_then(|plan| self.geometry($kind, plan.input_shape()).ok()) {
                    Some(geometry) => geometry.forward(pass),
                    None => pass.y.fill(F::nan()),
                }
            }

            fn backward(&self, mut pass: Backward<'_, F>) {
                match pass.plan.and_then(|plan| self.geometry($kind, plan.input_shape()).ok()) {
                    Some(geometry) => geometry.backward(pass),
                    None => pass.dx.fill(F::nan()),
                }
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}
pub(crate) use geometry_layer;
