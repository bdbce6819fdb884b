//! The form of the catalogs of losses, metrics and optimizers: the kinds under which files store them.

/// Declares the kinds of a family as `KINDS`, and `from_config`, which creates a value from its kind and hyperparameters.
///
/// A row is `"kind" => Type`; rows after `custom:` name a function of the configuration instead of a type. Files refer to
/// values by kind, so a row is never removed or renamed.
macro_rules! catalog {
    (
        dyn $family:ident:
        $($kind:literal => $item:ty,)*
        $(custom: $($custom_kind:expr => $read:expr,)*)?
    ) => {
        /// The kinds of this crate. Files refer to values by kind, so kinds are never removed or renamed.
        pub(crate) const KINDS: &[&str] = &[$($kind,)* $($($custom_kind,)*)?];

        /// Creates a value from its kind and hyperparameters; `None` for an unknown kind.
        pub(crate) fn from_config<F: $crate::float::Float>(
            kind: &str,
            config: &$crate::nn::layer::Config,
        ) -> Option<$crate::error::Result<std::sync::Arc<dyn $family<F>>>> {
            fn read<F: $crate::float::Float, T: $family<F> + serde::de::DeserializeOwned + 'static>(
                kind: &str,
                config: &$crate::nn::layer::Config,
            ) -> $crate::error::Result<std::sync::Arc<dyn $family<F>>> {
                Ok(std::sync::Arc::new(config.read::<T>(kind)?))
            }
            Some(match kind {
                $($kind => read::<F, $item>(kind, config),)*
                $($(kind if kind == $custom_kind => $read(config),)*)?
                _ => return None,
            })
        }

        #[cfg(test)]
        mod catalog_tests {
            use super::*;

            #[test]
            fn only_the_listed_kinds_are_known() {
                let invalid = $crate::nn::layer::Config::from_json("[");
                for kind in KINDS {
                    let made = from_config::<f32>(kind, &invalid);
                    assert!(made.is_some_and(|made| made.is_err()), "{kind}");
                }
                assert!(from_config::<f32>("Unknown", &invalid).is_none());
            }
        }
    };
}

pub(crate) use catalog;
