//! What `leitmotif explain E107` tells about each code.

use super::codes_lint::LINTS;
use super::codes_meaning::MEANING;
use super::codes_names::NAMES;
use super::codes_syntax::SYNTAX;
use super::{Code, Severity};

/// One code with its explanation.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// The mistake in a few words; lower case, no full stop.
    pub title: &'static str,
    /// Several sentences with a wrong and a right example.
    pub explanation: &'static str,
}

/// Every code, by number; errors first.
pub fn all() -> impl Iterator<Item = &'static CodeInfo> {
    [SYNTAX, NAMES, MEANING, LINTS].into_iter().flatten()
}

/// What is told about a code: `E107`, upper or lower case. `None` if there is no such code.
#[must_use]
pub fn explain(code: &str) -> Option<&'static CodeInfo> {
    all().find(|info| info.code.0.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_code_is_used_twice_and_all_are_explained() {
        let mut seen = HashSet::new();
        for info in all() {
            assert!(seen.insert(info.code), "{} twice", info.code.0);
            assert!(
                !info.title.is_empty() && !info.explanation.is_empty(),
                "{}",
                info.code.0
            );
            let kind = match info.severity {
                Severity::Error => 'E',
                Severity::Warning => 'W',
            };
            assert!(info.code.0.starts_with(kind), "{}", info.code.0);
        }
    }

    #[test]
    fn a_code_is_found_in_upper_and_lower_case() {
        assert_eq!(explain("e107").map(|info| info.code), Some(Code("E107")));
        assert!(explain("E999").is_none());
    }
}
