//! Helpers that several test binaries share; each includes this file with `#[path]`.
#![allow(dead_code, reason = "no binary uses all of them")]

pub mod param_only_layer;

use axonal::Result;

/// The message of an error.
pub fn error_message<T>(result: Result<T>) -> String {
    result.err().expect("invalid input was accepted").to_string()
}

/// Asserts that the message of an error contains these words and is at most 300 characters long.
pub fn assert_error<T>(result: Result<T>, words: &[&str]) {
    let message = error_message(result);
    words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is missing from: {message}"));
    assert!(message.len() <= 300, "longer than 300 characters: {message}");
}

/// Asserts that the message of an error contains some text.
pub fn assert_error_contains<T>(result: Result<T>, text: &str) {
    assert_error(result, &[text]);
}

/// Asserts that a number differs by at most `tolerance` times `max(1, |want|)`.
#[track_caller]
pub fn assert_near(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "got {got}, want {want}");
}
