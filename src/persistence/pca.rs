//! Principal components in files: the settings as JSON, what was learned as numbers.

use super::Checked;
use super::file::Encoder;
use super::persist::{Persist, Section, file_methods};
use super::registry::rejected;
use super::tensor_data::{NumberType, Tensor};
use crate::error::{LoadErrorKind, Result, excerpt};
use crate::nn::layer::Config;
use crate::nn::layout::zeros;
use crate::preprocessing::{Pca, PcaNumbers, PcaSettings};
use ndarray::{Array1, Array2};

const KIND: &str = "pca";
const COMPONENTS: &str = "components";
/// What is one number for each of something, and whether that is a feature.
const OTHERS: [(&str, bool); 3] =
    [("mean", true), ("explained_variance", false), ("explained_variance_ratio", false)];

impl Persist for Pca {
    fn encode(&self) -> Result<Encoder<'_>> {
        let config = Config::of(&self.settings()).map_or_else(String::new, |config| config.as_json().into());
        let mut tensors = Vec::new();
        if let Some(numbers) = self.numbers() {
            let values: Vec<f64> = numbers.components.iter().copied().collect();
            tensors.push(Tensor::floats(COMPONENTS, numbers.components.shape(), values));
            let others = [&numbers.mean, &numbers.explained_variance, &numbers.explained_variance_ratio];
            for ((name, _), values) in OTHERS.iter().zip(others) {
                tensors.push(Tensor::floats(*name, &[values.len()], values.to_vec()));
            }
        }
        Encoder::estimator(KIND, &config, tensors)
    }

    fn decode(section: Section<'_>) -> Result<Self> {
        let read = read_shape(&section).map_err(|problem| problem.in_file(section.name()))?;
        let (mut opened, _) = section.into_opened();
        opened.structure = std::borrow::Cow::default();
        let (settings, shape) = read;
        let Some((n_components, n_features)) = shape else {
            opened.numbers(|_| Ok(Ok(())))?;
            return Pca::of_record(settings, None)
                .map_err(|source| rejected(KIND, source).in_file(&opened.name));
        };
        let mut components = zeros::<f64>("the components", n_components.saturating_mul(n_features))?;
        let mut others =
            OTHERS.map(|(_, by_feature)| vec![0.0; if by_feature { n_features } else { n_components }]);
        opened.numbers(|numbers| {
            if let Err(problem) = numbers.floats(COMPONENTS, NumberType::F64, &mut components)? {
                return Ok(Err(problem));
            }
            for ((name, _), values) in OTHERS.iter().zip(&mut others) {
                if let Err(problem) = numbers.floats(name, NumberType::F64, values)? {
                    return Ok(Err(problem));
                }
            }
            Ok(Ok(()))
        })?;
        let [mean, explained_variance, explained_variance_ratio] = others.map(Array1::from_vec);
        let components = Array2::from_shape_vec((n_components, n_features), components).ok();
        let numbers = components.map(|components| PcaNumbers {
            mean,
            components,
            explained_variance,
            explained_variance_ratio,
        });
        Pca::of_record(settings, numbers).map_err(|source| rejected(KIND, source).in_file(&opened.name))
    }
}

file_methods! { [] Pca; }

/// The settings, and how many components and features there are, if any were learned. The tensors together are no
/// longer than the file.
fn read_shape(section: &Section<'_>) -> Checked<(PcaSettings, Option<(usize, usize)>)> {
    let (settings, mut tensors): (PcaSettings, _) = section.contents(KIND)?;
    if !settings.is_learned() {
        tensors.finish(section.numbers_len())?;
        return Ok((settings, None));
    }
    let (record, number) = tensors.next(COMPONENTS)?;
    let shape = match (number, &record.shape.0[..]) {
        (NumberType::F64, &[rows, columns]) if record.name == COMPONENTS && rows > 0 && columns > 0 => {
            usize::try_from(rows).ok().zip(usize::try_from(columns).ok())
        }
        _ => None,
    };
    let Some((n_components, n_features)) = shape else {
        let got = format!("{:?} of {} axes", excerpt(record.name), record.shape.0.len());
        let expected = "a matrix of f64".into();
        return Err(LoadErrorKind::Tensor { tensor: COMPONENTS.into(), expected, got });
    };
    for (name, by_feature) in OTHERS {
        tensors.expect(name, &[if by_feature { n_features } else { n_components }], NumberType::F64)?;
    }
    tensors.finish(section.numbers_len())?;
    Ok((settings, Some((n_components, n_features))))
}
