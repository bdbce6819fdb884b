//! What all ranks must agree on before they compute together.

use super::Collective;
use crate::error::{Error, Result};

/// Returns the value if every rank has one. If any rank has an error, every rank returns one: its own, or one that names the
/// first rank with an error.
pub(crate) fn agree<T>(group: &dyn Collective, own: Result<T>) -> Result<T> {
    let agreed = agree_on(group, own.as_ref().err());
    own.and_then(|value| agreed.map(|()| value))
}

/// Errors on every rank if any rank has a problem; the error names the first such rank.
pub(crate) fn agree_on(group: &dyn Collective, problem: Option<&Error>) -> Result<()> {
    let message = problem.map(ToString::to_string).unwrap_or_default();
    let problems = group.all_gather(message.as_bytes())?;
    match problems.iter().enumerate().find(|(_, problem)| !problem.is_empty()) {
        None => Ok(()),
        Some((rank, problem)) => {
            let problem = format!("failed: {}", String::from_utf8_lossy(problem));
            Err(Error::Distributed { rank, problem })
        }
    }
}

/// Errors, on every rank, if a setting of a rank is not that of rank 0. `settings` are pairs of a name and a value, as many on
/// every rank.
pub(crate) fn require_equal(group: &dyn Collective, settings: &[(&str, String)]) -> Result<()> {
    const SEPARATOR: &str = "\u{1e}";
    let own: Vec<&str> = settings.iter().map(|(_, value)| value.as_str()).collect();
    let all = group.all_gather(own.join(SEPARATOR).as_bytes())?;
    let all: Vec<String> = all.iter().map(|values| String::from_utf8_lossy(values).into_owned()).collect();
    let first: Vec<&str> = all.first().map(|values| values.split(SEPARATOR).collect()).unwrap_or_default();
    for (rank, values) in all.iter().enumerate().skip(1) {
        let mut pairs = settings.iter().zip(values.split(SEPARATOR)).zip(&first);
        if let Some((((name, _), value), first)) = pairs.find(|((_, value), first)| value != *first) {
            let (value, first) = first_difference(value, first);
            let problem = format!("has the {name} {value}, and rank 0 {first}; give every rank the same");
            return Err(Error::Distributed { rank, problem });
        }
    }
    Ok(())
}

/// The first lines that differ between two texts.
fn first_difference<'t>(a: &'t str, b: &'t str) -> (&'t str, &'t str) {
    let mut lines = a.lines().zip(b.lines());
    lines.find(|(a, b)| a != b).map_or((a, b), |(a, b)| (a.trim(), b.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::Threads;
    use super::*;

    #[test]
    fn an_error_of_one_rank_is_an_error_of_all() {
        let messages = Threads::run(3, |group| {
            let own =
                if group.rank() == 2 { Err(Error::unknown_name("color", "red", ["blue"])) } else { Ok(()) };
            let message = agree(group, own).unwrap_err().to_string();
            // The group can be used again.
            group.barrier()?;
            Ok(message)
        });
        let of_others = "distributed: rank 2 failed: unknown color \"red\"; known: blue";
        assert_eq!(messages.unwrap(), [of_others, of_others, "unknown color \"red\"; known: blue"]);
    }

    #[test]
    fn a_setting_that_differs_is_named_with_both_values() {
        let messages = Threads::run(2, |group| {
            let settings = [("seed", "1".to_owned()), ("layers", format!("dense\n  units {}", group.rank()))];
            Ok(require_equal(group, &settings).unwrap_err().to_string())
        });
        let expected =
            "distributed: rank 1 has the layers units 1, and rank 0 units 0; give every rank the same";
        assert_eq!(messages.unwrap(), [expected; 2]);
        let same = Threads::run(2, |group| require_equal(group, &[("seed", "1".to_owned())]));
        assert!(same.is_ok());
    }
}
