//! Optimizers: update rules over flat slices, with the learning rate and the modifiers around them.

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod any;
mod checks;
mod flush;
mod ftrl;
mod lamb;
mod lion;
mod nadam;
mod registry;
mod rmsprop;
mod rule;
mod rule_optimizer;
pub(crate) mod schedule;
mod sgd;

pub use adadelta::{Adadelta, AdadeltaRule};
pub use adafactor::{Adafactor, AdafactorRule};
pub use adagrad::{Adagrad, AdagradRule};
pub use adam::{Adam, AdamRule, AdamW};
pub use adamax::{Adamax, AdamaxRule};
pub use any::{AnyOptimizer, AnyRule};
pub use ftrl::{Ftrl, FtrlRule};
pub use lamb::{Lamb, LambRule};
pub use lion::{Lion, LionRule};
pub use nadam::{Nadam, NadamRule};
pub(crate) use registry::{KINDS, from_config};
pub use rmsprop::{RmsProp, RmsPropRule};
pub use rule::{Step, UpdateRule, WeightArray};
pub use rule_optimizer::{Modifiers, Optimizer, RuleOptimizer};
pub(crate) use schedule::LearningRate;
pub use sgd::{Sgd, SgdRule};
