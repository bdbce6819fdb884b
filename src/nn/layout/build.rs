//! Planning the layers of a network one by one.

use super::joined::Joined;
use super::plan_check::check_plan;
use super::{LayerSpec, Layout, Merging, Operation, PlannedLayer, Source};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Layer, MAX_ELEMENTS, MaskOut, MergeInputs, Plan, Shape};
use crate::nn::node::Merge;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The masks of the inputs of a layer.
struct InputMasks {
    /// For each input, the index of the layer that computes its mask.
    makers: Vec<Option<usize>>,
    /// For each input of a merge layer, its number of positions in the joined mask; empty if no input has a mask.
    lens: Vec<usize>,
}

/// A merge layer over its joined inputs, its plan, and the masks of its inputs.
type PlannedMerge<F> = (Arc<dyn Layer<F>>, Arc<Plan>, InputMasks);

impl<F: Float> Layout<F> {
    /// Plans a layer and appends it; errors name it.
    pub(super) fn push(&mut self, spec: LayerSpec<F>) -> Result<()> {
        let LayerSpec { operation, inputs, trainable, name, shares } = spec;
        let is_named = name.is_some();
        let kind = match &operation {
            Operation::Layer(layer) => layer.kind(),
            Operation::Merge(merge) => merge.kind(),
        };
        let name = name.unwrap_or_else(|| format!("{}.{kind}", self.nodes.len()));
        let makers: Vec<_> = inputs.iter().map(|&source| self.mask_of(source)).collect();
        let (layer, plan, merge, masks) = match operation {
            Operation::Layer(layer) => {
                let plan = self.plan_layer(&layer, &name, inputs[0], shares)?;
                self.check_mask(&name, &plan, &makers)?;
                (layer, plan, None, InputMasks { makers, lens: Vec::new() })
            }
            Operation::Merge(merge) => {
                let (joined, plan, masks) = self.plan_merge(merge.clone(), &name, &inputs, makers)?;
                (joined, plan, Some(merge), masks)
            }
        };
        self.require_batch_size(&name, &plan)?;
        let (params, state) = self.reserve(&name, &plan, shares)?;
        let (index, first_mask) = (self.nodes.len(), masks.makers.first().copied().flatten());
        let makes = match plan.mask_out() {
            MaskOut::Ends | MaskOut::Passes => false,
            MaskOut::Made(_) => true,
            MaskOut::Derived(_) => first_mask.is_some(),
        };
        if let Some(first) = shares {
            self.nodes[first].is_shared = true;
        }
        let merging = merge.map(|merge| {
            let input_lens = inputs.iter().map(|&source| self.source_shape(source).size()).collect();
            Box::new(Merging { merge, input_lens, mask_lens: masks.lens })
        });
        self.nodes.push(PlannedLayer {
            layer,
            merging,
            name,
            is_named,
            made_mask: plan.mask_shape().filter(|_| makes).map_or(0, Shape::size),
            output_mask: if plan.declares_passing_mask() { first_mask } else { makes.then_some(index) },
            plan,
            inputs,
            params,
            state,
            shares,
            is_shared: shares.is_some(),
            trainable: shares.map_or(trainable, |first| self.nodes[first].trainable),
        });
        Ok(())
    }

    /// The plan of a layer for its input.
    fn plan_layer(
        &self,
        layer: &Arc<dyn Layer<F>>,
        name: &str,
        input: Source,
        shares: Option<usize>,
    ) -> Result<Arc<Plan>> {
        let shape = self.source_shape(input);
        if let Some(plan) = self.planned(layer, shape) {
            return Ok(plan);
        }
        if let Some(first) = shares {
            let first = &self.nodes[first];
            let same = layer.plan(shape).is_ok_and(|plan| plan.has_params_of(&first.plan));
            if !same {
                let expected = format!(
                    "{}, the input of its first use as {}: its weights are shared",
                    first.plan.input_shape(),
                    first.name
                );
                return Err(Error::shape(format!("shared layer {name}"), expected, shape));
            }
        }
        let plan =
            layer.plan(shape).map_err(|error| self.in_layer(error, name, &[input]))?.input(shape.clone());
        check_plan(name, &plan)?;
        // Clone to drop unused vector capacity.
        Ok(Arc::new(plan.clone()))
    }

    /// The layer, the plan and the masks of a merge layer.
    fn plan_merge(
        &self,
        merge: Arc<dyn Merge<F>>,
        name: &str,
        inputs: &[Source],
        makers: Vec<Option<usize>>,
    ) -> Result<PlannedMerge<F>> {
        let shapes: Vec<Shape> = inputs.iter().map(|&source| self.source_shape(source).clone()).collect();
        let joined = MergeInputs::new(&shapes);
        let total = joined.total_len();
        if inputs.is_empty() {
            return Err(Error::shape(format!("layer {name}"), "at least one input", "none"));
        }
        let masked: Vec<bool> = makers.iter().map(Option::is_some).collect();
        let lens = match masked.contains(&true) {
            false => Vec::new(),
            true => (0..shapes.len()).map(|index| joined.positions(index).len()).collect(),
        };
        let masks = InputMasks { makers, lens };
        let first_plan = merge.plan(joined).map_err(|error| self.in_layer(error, name, inputs))?;
        let mask_shape = merge.mask_shape(joined, &masked).filter(|_| masked.contains(&true));
        if mask_shape.is_some() || first_plan.declares_using_mask() {
            self.check_joined_masks(name, &shapes, &masks.makers)?;
        }
        let layer: Arc<dyn Layer<F>> = Arc::new(Joined { merge, inputs: shapes, mask_shape });
        let plan = layer.plan(&Shape::from([total])).map_err(|error| error.in_layer(name))?;
        check_plan(name, &plan)?;
        let covers = |mask: &Shape| plan.output_shape().dims().starts_with(mask.dims());
        if let Some(mask) = plan.mask_shape().filter(|mask| !covers(mask)) {
            let expected = format!("a mask over leading axes of its output {}", plan.output_shape());
            return Err(Error::shape(format!("layer {name}"), expected, format!("a mask over {mask}")));
        }
        Ok((layer, Arc::new(plan.clone()), masks))
    }

    /// Adds the name of a layer, and where its inputs come from, to an error of its plan.
    fn in_layer(&self, error: Error, name: &str, inputs: &[Source]) -> Error {
        if self.inputs.iter().all(|input| input.name.is_empty()) {
            return error.in_layer(name);
        }
        let inputs: Vec<String> = inputs
            .iter()
            .map(|&source| match source {
                Source::Input(index) => {
                    format!("{:?} of shape {}", self.inputs[index].name, self.inputs[index].shape)
                }
                Source::Node(index) => {
                    format!("{} of shape {}", self.nodes[index].name, self.nodes[index].plan.output_shape())
                }
            })
            .collect();
        error.in_layer(&format!("{name} (applied to {})", inputs.join(" and ")))
    }

    /// Errors unless each mask covers all axes of its input but the last.
    fn check_joined_masks(&self, name: &str, shapes: &[Shape], makers: &[Option<usize>]) -> Result<()> {
        for (shape, maker) in shapes.iter().zip(makers) {
            let Some(mask) = maker.and_then(|maker| self.nodes[maker].plan.mask_shape()) else { continue };
            let leading = leading_axes(shape);
            if mask != &leading {
                let expected =
                    format!("masks over all axes of its inputs but the last: {leading} of {shape}");
                return Err(Error::shape(format!("layer {name}"), expected, format!("a mask over {mask}")));
            }
        }
        Ok(())
    }

    /// Errors if the mask of the layer's input or output does not cover the axes that it must.
    fn check_mask(&self, name: &str, plan: &Plan, makers: &[Option<usize>]) -> Result<()> {
        let owner = format!("layer {name}");
        let incoming =
            makers.first().copied().flatten().and_then(|maker| self.nodes[maker].plan.mask_shape());
        if let Some(mask) = incoming.filter(|_| plan.declares_using_mask()) {
            let leading = leading_axes(plan.input_shape());
            if mask != &leading {
                let expected = format!("a mask over {leading}, all axes of its samples but the last");
                return Err(Error::shape(owner, expected, format!("a mask over {mask}")));
            }
        }
        let outgoing = if plan.declares_passing_mask() { incoming } else { plan.mask_shape() };
        match outgoing {
            Some(mask) if !plan.output_shape().dims().starts_with(mask.dims()) => {
                let expected = format!("a mask over leading axes of its output {}", plan.output_shape());
                Err(Error::shape(owner, expected, format!("a mask over {mask}")))
            }
            _ => Ok(()),
        }
    }

    /// Records the batch size that the layer requires; errors if a previous layer requires another one.
    fn require_batch_size(&mut self, name: &str, plan: &Plan) -> Result<()> {
        match (plan.batch_size(), &self.batch) {
            (Some(batch), None) => self.batch = Some((batch, name.into())),
            (Some(batch), Some((first, owner))) if batch != *first => {
                let expected = format!("{first}, the batch size of the stateful layer {owner}");
                return Err(Error::invalid_parameter(format!("layer {name}"), "stateful", batch, expected));
            }
            _ => {}
        }
        Ok(())
    }

    /// The plan of an earlier use of the same layer with the same input shape.
    fn planned(&self, layer: &Arc<dyn Layer<F>>, input: &Shape) -> Option<Arc<Plan>> {
        let same =
            |node: &&PlannedLayer<F>| Arc::ptr_eq(&node.layer, layer) && node.plan.input_shape() == input;
        self.nodes.iter().rev().find(same).map(|node| node.plan.clone())
    }

    /// The ranges of the layer's parameters and state; errors if the network then has more than [`MAX_ELEMENTS`].
    fn reserve(
        &mut self,
        name: &str,
        plan: &Plan,
        shares: Option<usize>,
    ) -> Result<(Range<usize>, Range<usize>)> {
        if let Some(first) = shares {
            return Ok((self.nodes[first].params.clone(), self.nodes[first].state.clone()));
        }
        let (params, state) = (self.params_len, self.state_len);
        self.params_len = params.saturating_add(plan.params_len());
        self.state_len = state.saturating_add(plan.state_len());
        let largest = self.params_len.max(self.state_len);
        if largest > MAX_ELEMENTS {
            let what = format!("the layers up to {name}");
            return Err(Error::OutOfMemory { what, bytes: largest.saturating_mul(size_of::<F>()) });
        }
        Ok((params..self.params_len, state..self.state_len))
    }

    /// Errors if a name is empty, contains a slash or stands for two layers.
    pub(super) fn check_names(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for node in &self.nodes {
            if node.name.is_empty() || node.name.contains('/') {
                let expected = "a name without slashes, at least 1 character long";
                return Err(Error::invalid_parameter("layer", "name", format!("{:?}", node.name), expected));
            }
            if !names.insert(&node.name) {
                let expected = "a name that no other layer of the network has";
                return Err(Error::invalid_parameter("layer", "name", format!("{:?}", node.name), expected));
            }
        }
        Ok(())
    }
}

/// All axes of a sample but the last.
fn leading_axes(shape: &Shape) -> Shape {
    let dims = shape.dims();
    Shape::from(&dims[..dims.len().saturating_sub(1)])
}
