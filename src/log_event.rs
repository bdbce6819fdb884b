//! Events for the crate `log`, behind the feature of that name.

/// Logs a message under the target `axonal`; does nothing without the feature `log`.
macro_rules! log_event {
    ($level:ident, $($message:tt)*) => {{
        #[cfg(feature = "log")]
        log::$level!(target: "axonal", $($message)*);
        #[cfg(not(feature = "log"))]
        if false {
            let _ = format_args!($($message)*);
        }
    }};
}
pub(crate) use log_event;
