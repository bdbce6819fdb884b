//! `Debug` of errors: `fn main() -> Result<()>` prints it, so it is the message.

use super::{Error, LoadErrorKind};
use std::fmt;

/// Implements `Debug` for an enum of errors: `{:?}` is the message, `{:#?}` has the fields as well. The compiler refuses a
/// list that lacks a variant or a field.
macro_rules! message_as_debug {
    ($error:ident { $($variant:ident { $($field:ident),* })* }) => {
        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if !f.alternate() {
                    return fmt::Display::fmt(self, f);
                }
                let message = self.to_string();
                match self {
                    $(Self::$variant { $($field),* } => {
                        write_fields(f, stringify!($variant), &[
                            ("message", &message),
                            $((stringify!($field), $field)),*
                        ])
                    })*
                }
            }
        }
    };
}

/// Writes the name and the fields of a variant. Behind one function, because every program whose `main` returns an error holds
/// the code for all variants.
fn write_fields(f: &mut fmt::Formatter<'_>, name: &str, fields: &[(&str, &dyn fmt::Debug)]) -> fmt::Result {
    let mut written = f.debug_struct(name);
    for (name, value) in fields {
        written.field(name, value);
    }
    written.finish()
}

message_as_debug!(Error {
    InvalidParameter { owner, name, value, expected }
    Shape { context, expected, got }
    Length { what, expected, got }
    TooLarge { owner, what, value, index, expected, hint }
    Output { loss, expected, got, hint }
    TargetValue { what, row, value, expected, hint }
    Empty { what, shape, needed }
    NonFinite { what, value, index }
    Index { what, value, index, len }
    Label { row, label, n_classes }
    Target { owner, expected, got, hint }
    Weight { what, problem }
    NotFitted { estimator, method }
    TooFewSamples { owner, n_samples, name, needed }
    Diverged { quantity, epoch, batch, loss, learning_rate, last_good_epoch }
    WeightMismatch { name, expected, got }
    UnknownName { what, name, known }
    Misplaced { context, option, hint }
    Distributed { rank, problem }
    Callback { name, source }
    Parse { source_name, line, column, expected, got, hint }
    OutOfMemory { what, bytes }
    Load { file, problem }
    Save { path, action, source }
    Unsaveable { what, reason, hint }
    Io { path, source }
});

message_as_debug!(LoadErrorKind {
    Format { expected, got, hint }
    TooLarge { what, limit, option }
    NotOurs { found, kind }
    Version { found, supported }
    Content { expected, found }
    Truncated { expected, got }
    Trailing { end, extra }
    Checksum { section, offset, stored, computed }
    Malformed { offset, expected, got }
    Limit { what, value, limit }
    Tensor { tensor, expected, got }
    NonFinite { tensor, index, value }
    UnknownKind { what, kind }
    Registration { what, kind, problem }
    Unsupported { part, expected, got, hint }
    Rejected { part, source }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_the_message_and_the_alternate_form_has_the_fields() {
        let problem = || LoadErrorKind::Truncated { expected: 64, got: 3 };
        let text = "m.axonal: cut off: expected 64 bytes, got 3";
        let error = problem().in_file("m.axonal");
        assert_eq!(format!("{error:?}"), text);
        let fields = format!("{error:#?}");
        for field in [text, "Load {", "file: \"m.axonal\"", "problem: Truncated {", "expected: 64", "got: 3"]
        {
            assert!(fields.contains(field), "{field} in {fields}");
        }
        assert_eq!(format!("{:?}", problem()), "cut off: expected 64 bytes, got 3");
        let io = Error::Io { path: "a".into(), source: std::io::ErrorKind::NotFound.into() };
        assert_eq!(format!("{io:?}"), "a: entity not found");
        let failed: Result<(), Error> = Err(Error::shape("x", "(4)", "(5)"));
        assert_eq!(format!("{failed:?}"), "Err(x: expected (4), got (5))");
    }
}
