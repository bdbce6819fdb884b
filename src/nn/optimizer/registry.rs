//! The registry of this crate's optimizers: by name, and their update rules by kind, as files name them.

use super::adadelta::{Adadelta, AdadeltaRule};
use super::adafactor::{Adafactor, AdafactorRule};
use super::adagrad::{Adagrad, AdagradRule};
use super::adam::{Adam, AdamRule, AdamW};
use super::adamax::{Adamax, AdamaxRule};
use super::any::AnyOptimizer;
use super::ftrl::{Ftrl, FtrlRule};
use super::lamb::{Lamb, LambRule};
use super::lion::{Lion, LionRule};
use super::nadam::{Nadam, NadamRule};
use super::rmsprop::{RmsProp, RmsPropRule};
use super::rule::UpdateRule;
use super::sgd::{Sgd, SgdRule};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::catalog::catalog;
use std::str::FromStr;

/// Declares the optimizers by name, with their rules.
macro_rules! optimizers {
    ($($name:literal => $optimizer:ident, $rule:ty;)*) => {
        catalog! { dyn UpdateRule: $($name => $rule,)* }

        impl<F: Float> FromStr for AnyOptimizer<F> {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                Ok(match name.to_ascii_lowercase().as_str() {
                    $($name => $optimizer::default().any(),)*
                    _ => return Err(Error::unknown_name("optimizer", name, KINDS.iter().copied())),
                })
            }
        }
    };
}

optimizers! {
    "sgd" => Sgd, SgdRule;
    "adam" => Adam, AdamRule<false>;
    "adamw" => AdamW, AdamRule<true>;
    "nadam" => Nadam, NadamRule;
    "adamax" => Adamax, AdamaxRule;
    "rmsprop" => RmsProp, RmsPropRule;
    "adagrad" => Adagrad, AdagradRule;
    "adadelta" => Adadelta, AdadeltaRule;
    "lion" => Lion, LionRule;
    "ftrl" => Ftrl, FtrlRule;
    "lamb" => Lamb, LambRule;
    "adafactor" => Adafactor, AdafactorRule;
}
