//! Files of other libraries: reading and writing what can be said in both.

#[cfg(feature = "keras")]
mod keras;
