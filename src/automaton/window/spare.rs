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
pub(in crate::automaton) struct SparePanes(Vec<VecDeque<Pane>>);

impl SparePanes {
    /// Gives memory to a list that has none. A new one has room for one pane, which is all that a tumbling window needs.
    #[inline]
    pub(super) fn lend(&mut self, panes: &mut VecDeque<Pane>) {
        if panes.capacity() == 0 {
            *panes = self.0.pop().unwrap_or_else(|| VecDeque::with_capacity(1));
        }
    }

    /// Takes the memory of a list that is empty.
    #[inline]
    pub(super) fn take_back(&mut self, panes: &mut VecDeque<Pane>) {
        let keeps = self.0.len() < KEPT_MAX && (1..=PANES_MAX).contains(&panes.capacity());
        if panes.is_empty() && keeps {
            self.0.push(std::mem::take(panes));
        }
    }
}
