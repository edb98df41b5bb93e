//! The memory of keys whose windows have all closed, for keys to come.
//!
//! When a minute ends, the windows of thousands of keys close together, and during the next one as many open. The panes of one key are one
//! allocation; it goes round instead.

use std::collections::VecDeque;

use super::Pane;

/// As many are kept at most: two megabytes or so.
const KEPT_MAX: usize = 1 << 12;
/// The memory of more panes than this is given up.
const PANES_MAX: usize = 4;

/// Lists of panes: empty, but with memory.
#[derive(Debug, Default)]
pub(in crate::automaton) struct SparePanes {
    lists: Vec<VecDeque<Pane>>,
    /// What panes add up to, while that is of concern.
    sum: Option<Pane>,
}

impl SparePanes {
    /// Gives memory to a list that has none. A new one has room for one pane, which is all that a tumbling window needs.
    #[inline]
    pub(super) fn lend(&mut self, panes: &mut VecDeque<Pane>) {
        if panes.capacity() == 0 {
            *panes = self
                .lists
                .pop()
                .unwrap_or_else(|| VecDeque::with_capacity(1));
        }
    }

    /// Takes the memory of a list that is empty.
    #[inline]
    pub(super) fn take_back(&mut self, panes: &mut VecDeque<Pane>) {
        let keeps = self.lists.len() < KEPT_MAX && (1..=PANES_MAX).contains(&panes.capacity());
        if panes.is_empty() && keeps {
            self.lists.push(std::mem::take(panes));
        }
    }

    /// A copy of a pane, to which others are added.
    #[inline]
    pub(super) fn sum(&mut self, first: &Pane) -> &mut Pane {
        match &mut self.sum {
            Some(sum) if sum.registers.len() == first.registers.len() => sum.copy(first),
            sum => *sum = Some(first.clone()),
        }
        self.sum.as_mut().expect("it was made above")
    }
}
