//! What is said of a name that does not exist.

use crate::lang::suggest;

/// `no table "x"; did you mean "y"?`, or the list of those that exist.
pub(super) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match suggest::nearest(name, known.iter().copied()) {
        Some(near) => format!("no {what} \"{name}\"; did you mean \"{near}\"?"),
        None if known.is_empty() => format!("no {what} \"{name}\"; the patterns have none"),
        None => format!("no {what} \"{name}\"; there is {}", known.join(", ")),
    }
}
