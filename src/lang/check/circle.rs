//! Orders things that need each other, and finds those that need themselves.

/// Where the search is with a thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// The most things told of in circles: a hostile file can have more circles than anybody reads.
const TOLD_MAX: usize = 1_000;

/// Numbers `0..needs.len()`, each after those it needs, and every circle found on the way (each thing needs the one after
/// it, the last one the first). Things in circles are in the order, too. Depth-first search without recursion.
pub(super) fn sort(needs: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut marks = vec![Mark::New; needs.len()];
    let mut order = Vec::with_capacity(needs.len());
    let mut circles = Vec::new();
    let mut told = 0;
    for start in 0..needs.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // A thing with the number of its needs that have been looked at.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some((thing, looked_at)) = path.last_mut() {
            let thing = *thing;
            let Some(need) = needs[thing].get(*looked_at).copied() else {
                marks[thing] = Mark::Done;
                order.push(thing);
                path.pop();
                continue;
            };
            *looked_at += 1;
            match marks[need] {
                Mark::New => {
                    marks[need] = Mark::Open;
                    path.push((need, 0));
                }
                Mark::Open if told > TOLD_MAX => {}
                Mark::Open => {
                    let from = path
                        .iter()
                        .position(|(thing, _)| *thing == need)
                        .unwrap_or(0);
                    told += path.len() - from;
                    circles.push(path[from..].iter().map(|(thing, _)| *thing).collect());
                }
                Mark::Done => {}
            }
        }
    }
    (order, circles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first() {
        let (order, circles) = sort(&[vec![2], vec![0], vec![]]);
        assert_eq!(order, [2, 0, 1]);
        assert!(circles.is_empty());
    }

    #[test]
    fn a_circle_is_named_in_order_and_loses_nobody() {
        let (order, circles) = sort(&[vec![1], vec![2], vec![1], vec![3]]);
        assert_eq!(circles, [vec![1, 2], vec![3]]);
        assert_eq!(order.len(), 4);
    }
}
