//! [`Graph`]: the nodes and constants of an ONNX graph under construction.
//!
//! Values are known by their names. A node has one output, named after the node; the name is the scope (the layer or step
//! being exported) and the operator: `0.dense/Gemm`.

use super::proto::{Elements, Message};
use std::collections::HashSet;

/// Element types, with their numbers in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElementType {
    Float = 1,
    Int64 = 7,
    Text = 8,
    Bool = 9,
    Double = 11,
}

/// An attribute of a node.
#[derive(Debug)]
pub(super) enum Attribute {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
    Text(&'static str),
    Texts(Vec<String>),
    Graph(Message),
}

/// An axis of an input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dim {
    Fixed(usize),
    Symbolic(&'static str),
}

#[derive(Debug)]
struct Node {
    name: String,
    op: &'static str,
    /// The operator set; empty for ONNX's own.
    domain: &'static str,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: Vec<(&'static str, Attribute)>,
}

#[derive(Debug)]
struct Constant {
    name: String,
    dims: Vec<usize>,
    elements: Elements,
}

/// An ONNX graph under construction.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    constants: Vec<Constant>,
    names: HashSet<String>,
    scope: String,
    /// Names that bodies of `Scan` use.
    captured: HashSet<String>,
}

impl Graph {
    /// Creates a graph with inputs of these names.
    pub(super) fn new(inputs: impl Iterator<Item = String>) -> Self {
        Self { names: inputs.collect(), ..Self::default() }
    }

    /// Sets the prefix of new names and returns the previous one.
    pub(super) fn set_scope(&mut self, scope: impl Into<String>) -> String {
        std::mem::replace(&mut self.scope, scope.into())
    }

    /// Appends a node without attributes; returns its output.
    pub(super) fn op(&mut self, op: &'static str, inputs: &[&str]) -> String {
        self.op_with(op, inputs, [])
    }

    /// Appends a node with attributes; returns its output.
    pub(super) fn op_with<const N: usize>(
        &mut self,
        op: &'static str,
        inputs: &[&str],
        attributes: [(&'static str, Attribute); N],
    ) -> String {
        self.node(op, "", inputs, attributes.into(), 1).pop().unwrap_or_default()
    }

    /// Appends a node with several outputs, of an operator set.
    pub(super) fn node(
        &mut self,
        op: &'static str,
        domain: &'static str,
        inputs: &[&str],
        attributes: Vec<(&'static str, Attribute)>,
        outputs: usize,
    ) -> Vec<String> {
        let name = self.unique(op);
        let mut all = vec![name.clone()];
        all.extend((1..outputs).map(|index| self.unique(&format!("{op}_output{index}"))));
        let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
        self.nodes.push(Node { name, op, domain, inputs, outputs: all.clone(), attributes });
        all
    }

    /// Applies an operator with two operands to a value and a number.
    pub(super) fn op_scalar(&mut self, op: &'static str, x: &str, number: f64) -> String {
        let number = self.scalar(number);
        self.op(op, &[x, &number])
    }

    /// A constant of type float without axes.
    #[allow(clippy::cast_possible_truncation, reason = "networks compute in f32")]
    pub(super) fn scalar(&mut self, value: f64) -> String {
        self.shared(format!("float/{value:?}"), &[], Elements::F32(vec![value as f32]))
    }

    /// A constant of type double without axes.
    pub(super) fn double(&mut self, value: f64) -> String {
        self.shared(format!("double/{value:?}"), &[], Elements::F64(vec![value]))
    }

    /// A list of integers: axes, or a shape.
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        self.shared(format!("int64/{values:?}"), &[values.len()], Elements::I64(values.to_vec()))
    }

    /// A constant that is named by its value, once in the graph.
    fn shared(&mut self, name: String, dims: &[usize], elements: Elements) -> String {
        if self.names.insert(name.clone()) {
            self.constants.push(Constant { name: name.clone(), dims: dims.to_vec(), elements });
        }
        name
    }

    /// A constant tensor in the current scope.
    pub(super) fn tensor(&mut self, name: &str, dims: &[usize], values: Vec<f32>) -> String {
        self.constant(name, dims, Elements::F32(values))
    }

    /// A constant tensor of any type in the current scope. Shared weights become one constant.
    pub(super) fn constant(&mut self, name: &str, dims: &[usize], elements: Elements) -> String {
        let known = format!("{}/{name}", self.scope);
        let equal = |constant: &&Constant| {
            constant.name == known && constant.dims == dims && constant.elements == elements
        };
        if self.names.contains(&known) && self.constants.iter().any(|constant| equal(&constant)) {
            return known;
        }
        let name = self.unique(name);
        self.constants.push(Constant { name: name.clone(), dims: dims.to_vec(), elements });
        name
    }

    /// Converts a value to another element type.
    pub(super) fn cast(&mut self, x: &str, to: ElementType) -> String {
        self.op_with("Cast", &[x], [("to", Attribute::Int(to as i64))])
    }

    /// Reshapes samples; the batch axis is kept.
    pub(super) fn reshape(&mut self, x: &str, sample: &[usize]) -> String {
        // 0 means the length that the input has there.
        let shape: Vec<i64> = [0].into_iter().chain(sample.iter().map(|&dim| int(dim))).collect();
        let shape = self.ints(&shape);
        self.op("Reshape", &[x, &shape])
    }

    /// Permutes axes, of which 0 is the batch.
    pub(super) fn transpose(&mut self, x: &str, order: &[usize]) -> String {
        let order = order.iter().map(|&axis| int(axis)).collect();
        self.op_with("Transpose", &[x], [("perm", Attribute::Ints(order))])
    }

    /// Reduces axes; they stay as axes of length 1 if `keepdims`.
    pub(super) fn reduce(&mut self, op: &'static str, x: &str, axes: &[usize], keepdims: bool) -> String {
        let keepdims = ("keepdims", Attribute::Int(keepdims.into()));
        let axes: Vec<i64> = axes.iter().map(|&axis| int(axis)).collect();
        // ReduceSum takes its axes as an input since operator set 13, the others since 18.
        if op == "ReduceSum" {
            let axes = self.ints(&axes);
            return self.op_with(op, &[x, &axes], [keepdims]);
        }
        self.op_with(op, &[x], [("axes", Attribute::Ints(axes)), keepdims])
    }

    /// Builds the body of a `Scan`: the nodes that `build` appends. They may use constants and values of the graph.
    ///
    /// `build` returns the outputs. Inputs and outputs are declared without shapes.
    pub(super) fn body(
        &mut self,
        inputs: &[(&str, ElementType)],
        build: impl FnOnce(&mut Self) -> Vec<String>,
    ) -> Message {
        let outside = std::mem::take(&mut self.nodes);
        let outputs = build(self);
        let inside = std::mem::replace(&mut self.nodes, outside);
        self.captured.extend(inside.iter().flat_map(|node| node.inputs.iter().cloned()));
        let name = self.unique("body");
        let message =
            inside.into_iter().fold(Message::default(), |graph, node| graph.message(1, node.encode()));
        let message = message.text(2, name);
        let message = inputs
            .iter()
            .fold(message, |graph, (name, element)| graph.message(11, value_info(name, *element, None)));
        outputs
            .iter()
            .fold(message, |graph, name| graph.message(12, value_info(name, ElementType::Float, None)))
    }

    /// A new name in the current scope.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let base = if self.scope.is_empty() { name.to_owned() } else { format!("{}/{name}", self.scope) };
        let mut unique = base.clone();
        let mut count = 1;
        while !self.names.insert(unique.clone()) {
            unique = format!("{base}_{count}");
            count += 1;
        }
        unique
    }

    /// Encodes the graph with these inputs and outputs. Nodes and constants that no output depends on are left out.
    pub(super) fn encode(mut self, name: &str, inputs: &[Port], outputs: &[(String, Port)]) -> Message {
        for (value, port) in outputs {
            let (inputs, outputs) = (vec![value.clone()], vec![port.name.clone()]);
            let name = format!("{}/Identity", port.name);
            self.nodes.push(Node {
                name,
                op: "Identity",
                domain: "",
                inputs,
                outputs,
                attributes: Vec::new(),
            });
        }
        self.remove_unused(outputs);
        let message =
            self.nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node.encode()));
        let message = message.text(2, name);
        let message =
            self.constants.into_iter().fold(message, |graph, constant| graph.message(5, constant.encode()));
        let message = inputs.iter().fold(message, |graph, port| graph.message(11, port.encode()));
        outputs.iter().fold(message, |graph, (_, port)| graph.message(12, port.encode()))
    }

    /// Removes nodes that no output depends on, such as the computation of masks that no layer uses, and unused constants.
    fn remove_unused(&mut self, outputs: &[(String, Port)]) {
        let mut used: HashSet<String> = outputs.iter().map(|(_, port)| port.name.clone()).collect();
        let mut kept = Vec::with_capacity(self.nodes.len());
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            if node.outputs.iter().any(|output| used.contains(output)) {
                used.extend(node.inputs.iter().cloned());
                kept.push(node);
            }
        }
        kept.reverse();
        self.constants
            .retain(|constant| used.contains(&constant.name) || self.captured.contains(&constant.name));
        self.nodes = kept;
    }

    /// Whether a node of the operator set `ai.onnx.ml` exists.
    pub(super) fn uses_ml(&self) -> bool {
        self.nodes.iter().any(|node| !node.domain.is_empty())
    }
}

/// A named input or output of the graph.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    pub(super) name: String,
    pub(super) element: ElementType,
    pub(super) dims: Vec<Dim>,
}

impl Port {
    fn encode(&self) -> Message {
        value_info(&self.name, self.element, Some(&self.dims))
    }
}

impl Node {
    fn encode(self) -> Message {
        let message = self.inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        let message = self.outputs.iter().fold(message, |node, output| node.text(2, output));
        let message = message.text(3, self.name).text(4, self.op);
        let message = self
            .attributes
            .into_iter()
            .fold(message, |node, (name, attribute)| node.message(5, attribute.encode(name)));
        if self.domain.is_empty() { message } else { message.text(7, self.domain) }
    }
}

impl Attribute {
    /// Encodes the name, the value and the type, a number of `AttributeProto.AttributeType`.
    fn encode(self, name: &str) -> Message {
        let message = Message::default().text(1, name);
        match self {
            Self::Float(value) => message.float(2, value).int(20, 1),
            Self::Int(value) => message.int(3, value).int(20, 2),
            Self::Text(value) => message.text(4, value).int(20, 3),
            Self::Graph(value) => message.message(6, value).int(20, 5),
            Self::Ints(values) => values.iter().fold(message, |all, &value| all.int(8, value)).int(20, 7),
            Self::Texts(values) => values.iter().fold(message, |all, value| all.text(9, value)).int(20, 8),
        }
    }
}

impl Constant {
    fn encode(self) -> Message {
        let element = match self.elements {
            Elements::F32(_) => ElementType::Float,
            Elements::F64(_) => ElementType::Double,
            Elements::I64(_) => ElementType::Int64,
        };
        let message = self.dims.iter().fold(Message::default(), |tensor, &dim| tensor.int(1, int(dim)));
        message.int(2, element as i64).text(8, self.name).elements(9, self.elements)
    }
}

/// Encodes the name, element type and shape of a value. Without `dims`, any shape is meant.
fn value_info(name: &str, element: ElementType, dims: Option<&[Dim]>) -> Message {
    let tensor = Message::default().int(1, element as i64);
    let tensor = match dims {
        None => tensor,
        Some(dims) => {
            let dims = dims.iter().map(|dim| match dim {
                Dim::Fixed(len) => Message::default().int(1, int(*len)),
                Dim::Symbolic(name) => Message::default().text(2, name),
            });
            tensor.message(2, dims.fold(Message::default(), |shape, dim| shape.message(1, dim)))
        }
    };
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// A length as ONNX stores it.
pub(super) fn int(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
