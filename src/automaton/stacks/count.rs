//! How many partial matches events in stacks make, told as a list of runs would tell them.

use super::plan::{Node, StackPlan};
use super::{Entry, Stacks};

/// Exact counts.
#[derive(Default)]
pub(super) struct Counts {
    /// By stack: for each entry the number of ways to come to it.
    pub paths: Vec<Vec<u64>>,
    /// By stack: as how many runs partial matches are told that have bound an entry of it last.
    pub runs: Vec<u64>,
}

impl Stacks {
    /// How many partial matches end with each step that has a stack.
    pub(crate) fn partials_by_step(&self, plan: &StackPlan) -> Vec<u64> {
        self.count(plan).runs
    }

    /// How many partial matches there are. O(entries).
    pub(crate) fn partials(&self, plan: &StackPlan) -> u64 {
        sum(self.count(plan).runs)
    }

    /// True if there are more partial matches than `bound` allows.
    pub(super) fn exceeds(&mut self, plan: &StackPlan, bound: u32) -> bool {
        let stacks = self.stacks.iter().zip(&plan.steps);
        let most = stacks.map(|(stack, stacked)| stacked.runs_of(stack.paths));
        // Counts of those that have expired are still in it.
        sum(most) > u64::from(bound) && self.count_anew(plan) > u64::from(bound)
    }

    /// Sets what entries say of paths to what is: how many partial matches there are.
    pub(super) fn count_anew(&mut self, plan: &StackPlan) -> u64 {
        let Counts { paths, runs } = self.count(plan);
        for (stack, paths) in self.stacks.iter_mut().zip(paths) {
            for (entry, paths) in stack.entries.iter_mut().zip(&paths) {
                entry.paths = u32::try_from(*paths).unwrap_or(u32::MAX);
            }
            stack.paths = sum(paths);
        }
        sum(runs)
    }

    /// Counts ways to come to each entry, from the oldest to the newest. O(entries · log entries) for each way on.
    fn count(&self, plan: &StackPlan) -> Counts {
        let stacks = self.stacks.iter().enumerate();
        let entries = stacks.flat_map(|(stack, of)| of.entries.iter().map(move |at| (stack, at)));
        let mut entries: Vec<(usize, &Entry)> = entries.collect();
        entries.sort_by_key(|(_, entry)| entry.number);
        let mut counts = Counts {
            paths: self.stacks.iter().map(|_| Vec::new()).collect(),
            runs: vec![0; self.stacks.len()],
        };
        // By node: of the first entries of its stack, the ways to come there, added up.
        let mut sums: Vec<Vec<u64>> = plan.nodes.iter().map(|_| vec![0]).collect();
        for (stack, entry) in entries {
            let mut all = 0_u64;
            for (at, node) in plan.nodes.iter().enumerate() {
                if node.stack != stack {
                    continue;
                }
                let begun = plan.begins.iter().any(|begin| begin.node == Some(at));
                let begun = u64::from(begun);
                let from = node.from.iter().map(|&(from, way)| {
                    let (of, bar) = (&sums[from], plan.nodes[from].ways[way].bar);
                    let stack = &self.stacks[plan.nodes[from].stack];
                    let upto = of[stack.before(entry.number)];
                    upto.saturating_sub(of[stack.before(self.barred_before(bar, entry.number))])
                });
                let paths = from.fold(begun, u64::saturating_add);
                all = all.saturating_add(paths);
                let runs = paths.saturating_mul(self.runs_behind(plan, node, entry.number));
                counts.runs[stack] = counts.runs[stack].saturating_add(runs);
                let before = sums[at].last().copied().unwrap_or(0);
                sums[at].push(before.saturating_add(paths));
            }
            counts.paths[stack].push(all);
        }
        counts
    }

    /// What is older than this number can't have gone on with the event of a number: a loop would have taken another one.
    fn barred_before(&self, bar: Option<usize>, number: u64) -> u64 {
        let newest = bar.and_then(|bar| {
            let entries = &self.stacks[bar].entries;
            entries.get(self.stacks[bar].up_to(number).checked_sub(1)?)
        });
        newest.map_or(0, |entry| entry.number)
    }

    /// As how many runs a list has a partial match that is at a node since the event of a number: it was split around what went on from it.
    fn runs_behind(&self, plan: &StackPlan, node: &Node, number: u64) -> u64 {
        let (mut runs, mut waiting) = (0, false);
        for way in &node.ways {
            let bar = self.barred_from(way.bar, number);
            let went_on = way.to.is_some_and(|to| {
                let following = self.following(plan.nodes[to].stack, number, bar);
                !following.is_empty()
            });
            runs += u64::from(waiting && went_on);
            waiting = waiting && !went_on || bar == u64::MAX;
        }
        runs + u64::from(waiting)
    }

    /// The number of the event from which on a way is barred that opened with the event of a number; [`u64::MAX`] if there is none.
    pub(super) fn barred_from(&self, bar: Option<usize>, number: u64) -> u64 {
        bar.map_or(u64::MAX, |bar| self.stacks[bar].next_after(number))
    }
}

fn sum(of: impl IntoIterator<Item = u64>) -> u64 {
    of.into_iter().fold(0, u64::saturating_add)
}
