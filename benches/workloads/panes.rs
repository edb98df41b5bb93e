//! Windows as somebody would write them by hand who needs no others: what the engine's are measured against.

use std::collections::{HashMap, VecDeque};

use compact_str::CompactString;

/// Windows per key of several panes, one of which begins with each pane.
pub struct Windows<T> {
    order: Order,
    pane_ms: i64,
    /// How many make a window.
    panes: i64,
    index: HashMap<CompactString, u32, foldhash::fast::RandomState>,
    keys: Vec<Open<T>>,
    /// The pane that ends next.
    next: i64,
    /// Keys that have a window that ends with this pane, with the one after it …
    ends: VecDeque<Vec<u32>>,
    spare: Vec<Vec<u32>>,
}

/// In which order the windows that end together are given.
#[derive(Clone, Copy, PartialEq)]
pub enum Order {
    Any,
    /// That of their keys, as the engine does.
    ByKey,
}

struct Open<T> {
    key: CompactString,
    /// A pane has its place by its number; one more than a window has, since a pane may begin before the one in front of it ends.
    panes: Box<[Option<(i64, T)>]>,
    /// The key is listed for the ends of these panes; of ranges that do not touch this is the last one.
    listed: (i64, i64),
}

/// The window of a key that ended.
pub struct Ended<'a, T> {
    pub key: &'a CompactString,
    /// In milliseconds since 1970.
    pub from: i64,
    pub to: i64,
    pub totals: T,
}

impl<T: Copy> Windows<T> {
    pub fn new(pane_ms: i64, panes: i64, order: Order) -> Windows<T> {
        Windows {
            order,
            pane_ms,
            panes,
            index: HashMap::default(),
            keys: Vec::new(),
            next: i64::MIN,
            ends: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Counts an event in the pane of its time, which has not ended.
    pub fn take(&mut self, ts: i64, key: &str, totals: T, add: impl Fn(&mut T, &T)) {
        let pane = ts.div_euclid(self.pane_ms);
        if self.ends.is_empty() {
            // The newest event may be later by as much as one is allowed to be late.
            self.next = pane - 1;
        }
        let at = match self.index.get(key) {
            Some(at) => *at,
            None => {
                let at = self.keys.len() as u32;
                self.index.insert(key.into(), at);
                self.keys.push(Open {
                    key: key.into(),
                    panes: (0..=self.panes).map(|_| None).collect(),
                    listed: (i64::MIN, i64::MIN),
                });
                at
            }
        };
        let open = &mut self.keys[at as usize];
        let slot = pane.rem_euclid(self.panes + 1) as usize;
        if let Some((number, held)) = &mut open.panes[slot]
            && *number == pane
        {
            add(held, &totals);
            return;
        }
        open.panes[slot] = Some((pane, totals));
        let (first, last) = open.listed;
        let end = pane + self.panes - 1;
        let new = if pane < first {
            open.listed = (pane, last);
            pane..=first - 1
        } else if pane > last + 1 {
            open.listed = (pane, end);
            pane..=end
        } else {
            open.listed = (first, end.max(last));
            last + 1..=end
        };
        for end in new {
            let nth = (end - self.next) as usize;
            while self.ends.len() <= nth {
                self.ends.push_back(self.spare.pop().unwrap_or_default());
            }
            self.ends[nth].push(at);
        }
    }

    /// Ends the windows whose end is no later than this time.
    pub fn pass<E>(
        &mut self,
        time: i64,
        add: impl Fn(&mut T, &T),
        mut write: impl FnMut(Ended<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.ends.is_empty() && (self.next + 1) * self.pane_ms <= time {
            let Some(mut listed) = self.ends.pop_front() else {
                break;
            };
            if self.order == Order::ByKey {
                let keys = &self.keys;
                listed.sort_by(|a, b| keys[*a as usize].key.cmp(&keys[*b as usize].key));
            }
            let first = self.next - self.panes + 1;
            for at in listed.drain(..) {
                let open = &self.keys[at as usize];
                let mut sum: Option<T> = None;
                for number in first..=self.next {
                    match &open.panes[number.rem_euclid(self.panes + 1) as usize] {
                        Some((held, totals)) if *held == number => match &mut sum {
                            Some(sum) => add(sum, totals),
                            None => sum = Some(*totals),
                        },
                        _ => {}
                    }
                }
                if let Some(totals) = sum {
                    write(Ended {
                        key: &open.key,
                        from: first * self.pane_ms,
                        to: (self.next + 1) * self.pane_ms,
                        totals,
                    })?;
                }
            }
            self.spare.push(listed);
            self.next += 1;
        }
        Ok(())
    }
}
