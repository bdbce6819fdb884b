//! The lines that a verbose run prints.

use std::io::Write as _;

/// Prints the inertia of the last iteration, and how the run converged, in the words of scikit-learn.
pub(super) fn print_iteration(history: &[f64], converged: Option<(bool, f64)>, tolerance: f64) {
    let number = history.len().saturating_sub(1);
    let inertia = history.last().copied().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    // Ignore a closed pipe: the fit continues without output.
    let _ = writeln!(out, "Iteration {number}, inertia {inertia}.");
    let _ = match converged {
        None => Ok(()),
        Some((true, _)) => writeln!(out, "Converged at iteration {number}: strict convergence."),
        Some((false, shift)) => {
            writeln!(
                out,
                "Converged at iteration {number}: center shift {shift} within tolerance {tolerance}."
            )
        }
    };
}
