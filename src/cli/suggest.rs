//! The nearest known name for one that is not known.

/// The known name nearest to `name`, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = name.chars().count().div_ceil(3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= far)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// `no output "x"; did you mean "y"?`, or the list of those that exist.
pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("no {what} \"{name}\"; did you mean \"{near}\"?"),
        None if known.is_empty() => format!("no {what} \"{name}\"; the patterns have none"),
        None => format!("no {what} \"{name}\"; there is {}", known.join(", ")),
    }
}

/// Edits (insert, remove, replace, swap of neighbours; case counts for nothing) from one name to the other.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_listed() {
        assert_eq!(nearest("farud", ["watchlist", "fraud"]), Some("fraud"));
        assert_eq!(nearest("x", ["watchlist", "fraud"]), None);
        assert_eq!(
            unknown("output", "x", ["fraud", "late"]),
            "no output \"x\"; there is fraud, late"
        );
        assert_eq!(
            unknown("output", "Fraud", ["fraud"]),
            "no output \"Fraud\"; did you mean \"fraud\"?"
        );
    }
}
