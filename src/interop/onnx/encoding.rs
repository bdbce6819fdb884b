//! One-hot encoding of numbers and of text.

use super::graph::{Attribute, ElementType, Graph, int};
use super::{ML, OnnxStep, Value, export_methods, unsaveable};
use crate::error::Result;
use crate::preprocessing::{Category, OneHotEncoder};

export_methods!(
    [] OneHotEncoder,
    "one_hot_encoder",
    "`input`: (batch, features), f32 if the categories are numbers, text if they are text. `output`: f32, (batch, columns), \
     what `transform` returns. An unknown number gives zeros, also where `transform` returns an error for it.\n"
);

impl OnnxStep for OneHotEncoder {
    fn input(&self) -> Result<Value> {
        let (categories, _) = self.columns("export_onnx")?;
        Ok(Value::input(element_of(categories)?, [categories.len()]))
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let (categories, skipped) = self.columns("export_onnx")?;
        let element = element_of(categories)?;
        if x.element != element {
            return Err(unsaveable(
                "OneHotEncoder",
                "its categories are not of the type that the step before it gives",
            ));
        }
        if element == ElementType::Float {
            x.require_numbers("OneHotEncoder", Some(categories.len()))?;
        }
        let outer = graph.set_scope("one_hot_encoder");
        let encoded = if element == ElementType::Float {
            numbers(graph, &x.name, categories, &skipped)
        } else {
            Ok(texts(graph, &x.name, categories, &skipped, self.ignores_unknown()))
        };
        graph.set_scope(outer);
        let columns = categories.iter().zip(&skipped).map(|(known, skipped)| known.len() - skipped).sum();
        Ok(vec![Value::features(encoded?, columns)])
    }
}

/// The type of the input: numbers or text, for all features.
fn element_of(categories: &[Vec<Category>]) -> Result<ElementType> {
    let texts = categories.iter().flatten().filter(|category| matches!(category, Category::Text(_))).count();
    match texts {
        0 => Ok(ElementType::Float),
        texts if texts == categories.iter().map(Vec::len).sum::<usize>() => Ok(ElementType::Text),
        _ => Err(unsaveable("OneHotEncoder", "its features are partly numbers and partly text")),
    }
}

/// Compares each feature, once for each of its categories, with the category.
#[allow(clippy::cast_possible_truncation, reason = "distinct categories must stay distinct in f32")]
fn numbers(graph: &mut Graph, x: &str, categories: &[Vec<Category>], skipped: &[usize]) -> Result<String> {
    let (mut features, mut values) = (Vec::new(), Vec::new());
    for (feature, (known, &skipped)) in categories.iter().zip(skipped).enumerate() {
        let numbers = known.iter().filter_map(|category| match category {
            Category::Number(number) => Some(*number as f32),
            Category::Text(_) => None,
        });
        let numbers: Vec<f32> = numbers.collect();
        if numbers.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(unsaveable("OneHotEncoder", "two categories of a feature are equal in f32"));
        }
        features.extend(std::iter::repeat_n(int(feature), numbers.len().saturating_sub(skipped)));
        values.extend(numbers.into_iter().skip(skipped));
    }
    let features = graph.ints(&features);
    let repeated = graph.op_with("Gather", &[x, &features], [("axis", Attribute::Int(1))]);
    let values = graph.tensor("categories", &[1, values.len()], values);
    let equal = graph.op("Equal", &[&repeated, &values]);
    Ok(graph.cast(&equal, ElementType::Float))
}

/// Encodes each feature with `OneHotEncoder` of `ai.onnx.ml`, which compares text.
fn texts(
    graph: &mut Graph,
    x: &str,
    categories: &[Vec<Category>],
    skipped: &[usize],
    ignores_unknown: bool,
) -> String {
    let mut columns = Vec::new();
    for (feature, (known, &skipped)) in categories.iter().zip(skipped).enumerate() {
        let index = graph.ints(&[int(feature)]);
        let feature = graph.op_with("Gather", &[x, &index], [("axis", Attribute::Int(1))]);
        let attributes = vec![
            ("cats_strings", Attribute::Texts(known.iter().map(ToString::to_string).collect())),
            ("zeros", Attribute::Int(ignores_unknown.into())),
        ];
        let encoded = graph.node("OneHotEncoder", ML, &[&feature], attributes, 1).pop().unwrap_or_default();
        let encoded = graph.reshape(&encoded, &[known.len()]);
        let [start, end, axis] = [int(skipped), int(known.len()), 1].map(|value| graph.ints(&[value]));
        columns.push(graph.op("Slice", &[&encoded, &start, &end, &axis]));
    }
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    graph.op_with("Concat", &columns, [("axis", Attribute::Int(1))])
}
