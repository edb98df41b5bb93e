//! The known name nearest to one that does not exist.

/// Longer names, and more of them, are not compared: the cost of a suggestion has an end.
const NAME_MAX: usize = 64;
const NAMES_MAX: usize = 1_000;

/// The known name that differs least from `name`, if it is near enough to be a slip of the pen.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > NAME_MAX {
        return None;
    }
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .take(NAMES_MAX)
        .filter(|known| known.len() <= NAME_MAX && *known != name)
        .map(|known| (distance(name, known), known))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, known)| known)
}

/// Edits (insert, delete, replace, swap of neighbours) between two names, upper and lower case being equal.
/// Optimal string alignment: three rows of the usual table.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let known = ["amount", "merchant", "card"];
        assert_eq!(nearest("amuont", known), Some("amount"));
        assert_eq!(nearest("Card", known), Some("card"));
        assert_eq!(nearest("merchnt", known), Some("merchant"));
    }

    #[test]
    fn a_different_word_is_not_suggested() {
        assert_eq!(nearest("status", ["amount", "card"]), None);
        assert_eq!(nearest("x", ["y2", "abc"]), None);
    }
}
