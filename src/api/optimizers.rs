//! Optimizers: how gradients move the parameters.
//!
//! | type | use |
//! |---|---|
//! | [`Adam`] | the default choice |
//! | [`AdamW`] | Adam with decoupled weight decay, for larger networks |
//! | [`Sgd`] | with momentum for convolutional networks; plain for small ones |
//! | [`RmsProp`] | recurrent networks |
//! | [`Nadam`], [`Adamax`] | Adam with Nesterov momentum; with the infinity norm |
//! | [`Adagrad`], [`Adadelta`], [`Ftrl`] | sparse features |
//! | [`Lion`] | one moment instead of two |
//! | [`Lamb`] | large batches |
//! | [`Adafactor`] | little memory: row and column statistics instead of moments |
//!
//! Every optimizer takes a learning rate (a number or one of [`schedules`](crate::schedules)) and the modifiers `clipnorm`,
//! `global_clipnorm`, `clipvalue`, `weight_decay`, `exclude_from_weight_decay`, `ema` and `accumulate`. [`AnyOptimizer`] is chosen by
//! name at run time.

pub use crate::nn::optimizer::{
    Adadelta, AdadeltaRule, Adafactor, AdafactorRule, Adagrad, AdagradRule, Adam, AdamRule, AdamW, Adamax,
    AdamaxRule, AnyOptimizer, AnyRule, Ftrl, FtrlRule, Lamb, LambRule, Lion, LionRule, Modifiers, Nadam,
    NadamRule, Optimizer, RmsProp, RmsPropRule, Sgd, SgdRule,
};
