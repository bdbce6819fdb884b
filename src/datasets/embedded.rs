//! The data sets that are part of the crate: digits, iris, wine, breast cancer.

use super::Dataset;
use crate::error::{Error, Result, quoted};
use crate::float::Float;
use ndarray::{Array1, Array2};

/// 1,797 handwritten digits: 8×8 images, 64 pixels from 0 to 16 a sample, ten classes.
///
/// `data` can be taken as images with `data.to_shape((1797, 8, 8))`.
///
/// # Errors
/// None in practice; the embedded text passes through the same checks as any other.
///
/// # Examples
/// ```
/// use axonal::datasets::load_digits;
///
/// # fn main() -> axonal::Result<()> {
/// let digits = load_digits::<f32>()?;
/// assert_eq!(digits.data.dim(), (1797, 64));
/// assert_eq!(digits.target[3], 3);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998
/// (the test part; CC BY 4.0), as shipped in scikit-learn (BSD 3-Clause).
pub fn load_digits<F: Float>() -> Result<Dataset<F>> {
    let (mut data, mut target) = (Vec::with_capacity(1797 * 64), Vec::with_capacity(1797));
    for (row, line) in include_str!("files/digits.txt").lines().enumerate() {
        let bad = |column: usize| unreadable("digits.txt", row + 1, column, "a digit", line);
        let (pixels, label) = line.split_once(' ').ok_or_else(|| bad(1))?;
        for (column, pixel) in pixels.chars().enumerate() {
            data.push(F::of(f64::from(pixel.to_digit(17).ok_or_else(|| bad(column + 1))?)));
        }
        target.push(label.parse().map_err(|_| bad(66))?);
    }
    let features = (0..64).map(|pixel| format!("pixel_{}_{}", pixel / 8, pixel % 8));
    Ok(shaped("digits.txt", data, target, 64)?
        .with_feature_names(features)
        .with_target_names((0..10).map(|digit| digit.to_string()))
        .with_description(
            "Optical recognition of handwritten digits (E. Alpaydin, C. Kaynak, 1998), the test part",
        ))
}

/// 150 iris flowers: four measurements in centimetres, three species.
///
/// # Errors
/// None in practice; the embedded text passes through the same checks as any other.
///
/// # Examples
/// ```
/// let iris = axonal::datasets::load_iris::<f64>()?;
/// assert_eq!(iris.feature_names[0], "sepal length (cm)");
/// assert_eq!(iris.target_names, ["setosa", "versicolor", "virginica"]);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// R. A. Fisher, *The use of multiple measurements in taxonomic problems*, 1936; UCI Machine Learning Repository
/// (CC BY 4.0), as shipped in scikit-learn (BSD 3-Clause).
pub fn load_iris<F: Float>() -> Result<Dataset<F>> {
    Ok(table("iris.csv", include_str!("files/iris.csv"))?
        .with_target_names(["setosa", "versicolor", "virginica"])
        .with_description("Iris flowers (R. A. Fisher, 1936)"))
}

/// 178 wines: thirteen chemical measurements, three cultivars.
///
/// # Errors
/// None in practice; the embedded text passes through the same checks as any other.
///
/// # Examples
/// ```
/// let wine = axonal::datasets::load_wine::<f64>()?;
/// assert_eq!(wine.data.dim(), (178, 13));
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// M. Forina et al., *PARVUS*, 1991; UCI Machine Learning Repository (CC BY 4.0), as shipped in scikit-learn
/// (BSD 3-Clause).
pub fn load_wine<F: Float>() -> Result<Dataset<F>> {
    Ok(table("wine.csv", include_str!("files/wine.csv"))?
        .with_target_names(["class_0", "class_1", "class_2"])
        .with_description("Wine recognition (M. Forina et al., 1991)"))
}

/// 569 breast tumours: thirty measurements of cell nuclei, malignant (0) or benign (1).
///
/// # Errors
/// None in practice; the embedded text passes through the same checks as any other.
///
/// # Examples
/// ```
/// let tumours = axonal::datasets::load_breast_cancer::<f64>()?;
/// assert_eq!(tumours.data.dim(), (569, 30));
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// W. H. Wolberg, W. N. Street, O. L. Mangasarian, *Breast Cancer Wisconsin (Diagnostic)*, UCI Machine Learning
/// Repository, 1995 (CC BY 4.0), as shipped in scikit-learn (BSD 3-Clause).
pub fn load_breast_cancer<F: Float>() -> Result<Dataset<F>> {
    Ok(table("breast_cancer.csv", include_str!("files/breast_cancer.csv"))?
        .with_target_names(["malignant", "benign"])
        .with_description("Breast Cancer Wisconsin (Diagnostic) (W. H. Wolberg et al., 1995)"))
}

/// 442 diabetes patients: ten measurements, and how far the disease progressed in a year.
///
/// As in scikit-learn, each feature has mean 0 and a sum of squares of 1; [`load_diabetes_raw`] has the measured values.
///
/// # Errors
/// None in practice; the embedded text passes through the same checks as any other.
///
/// # Examples
/// ```
/// let patients = axonal::datasets::load_diabetes::<f64>()?;
/// assert_eq!((patients.data.dim(), patients.target[0]), ((442, 10), 151.0));
/// assert!((patients.data.column(2).mapv(|v| v * v).sum() - 1.0).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, *Least Angle Regression*, 2004, as shipped in scikit-learn (BSD
/// 3-Clause).
#[allow(clippy::cast_precision_loss, reason = "442 samples")]
pub fn load_diabetes<F: Float>() -> Result<Dataset<F, F>> {
    let raw = load_diabetes_raw::<f64>()?;
    let n = raw.data.nrows() as f64;
    let mut data = raw.data;
    for mut column in data.columns_mut() {
        let mean = column.sum() / n;
        column.mapv_inplace(|value| value - mean);
        let root = column.iter().map(|value| value * value).sum::<f64>().sqrt();
        column.mapv_inplace(|value| value / root);
    }
    Ok(Dataset::new(data.mapv(F::of), raw.target.mapv(F::of))?
        .with_feature_names(raw.feature_names)
        .with_description(raw.description))
}

/// The data of [`load_diabetes`] as measured: age in years, sex 1 or 2, body mass index, blood pressure, six values of the
/// blood serum.
///
/// # Errors
/// None in practice; the embedded text passes through the same checks as any other.
///
/// # Examples
/// ```
/// let patients = axonal::datasets::load_diabetes_raw::<f64>()?;
/// assert_eq!((patients.feature_names[2].as_str(), patients.data[[0, 2]]), ("bmi", 32.1));
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn load_diabetes_raw<F: Float>() -> Result<Dataset<F, F>> {
    let Dataset { data, target, feature_names, .. } =
        table::<F>("diabetes.csv", include_str!("files/diabetes.csv"))?;
    #[allow(clippy::cast_precision_loss, reason = "targets below 1,000")]
    let target = target.mapv(|value| F::of(value as f64));
    Ok(Dataset::new(data, target)?
        .with_feature_names(feature_names)
        .with_description("Diabetes patients (B. Efron et al., 2004)"))
}

/// A header, then rows of numbers whose last one is the class.
fn table<F: Float>(file: &str, text: &str) -> Result<Dataset<F>> {
    let mut lines = text.lines();
    let mut names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    names.pop();
    let (mut data, mut target) = (Vec::new(), Vec::new());
    for (row, line) in lines.enumerate() {
        for (column, field) in line.split(',').enumerate() {
            let bad = || unreadable(file, row + 2, column + 1, "a number", field);
            if column == names.len() {
                target.push(field.parse().map_err(|_| bad())?);
            } else {
                data.push(field.parse().map_err(|_| bad())?);
            }
        }
    }
    Ok(shaped(file, data, target, names.len())?.with_feature_names(names))
}

/// The numbers of a whole file as a data set.
fn shaped<F>(file: &str, data: Vec<F>, target: Vec<usize>, n_features: usize) -> Result<Dataset<F>> {
    let got = format!("{} numbers", data.len());
    let data = Array2::from_shape_vec((target.len(), n_features), data)
        .map_err(|_| Error::shape(file, format!("{} rows of {n_features}", target.len()), got))?;
    Dataset::new(data, Array1::from_vec(target))
}

fn unreadable(file: &str, line: usize, column: usize, expected: &str, got: &str) -> Error {
    Error::Parse {
        source_name: file.into(),
        line,
        column,
        expected: expected.into(),
        got: quoted(got),
        hint: String::new(),
    }
}
