//! What a crash leaves of bytes and names that were not synced.

use std::collections::{BTreeMap, BTreeSet};

use crate::testing::choices::Choices;

/// A file or folder, whatever its name.
pub(super) type NodeId = usize;

/// A rename from one folder to another: two changes that belong together.
pub(super) type MoveId = u64;

/// How much a crash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Nothing: everything reached the disk just in time.
    Mild,
    /// Some of it, by chance.
    Random,
    /// Everything that was not synced.
    Total,
}

impl Severity {
    pub(super) fn draw(choices: &mut Choices) -> Severity {
        *choices.pick(&[
            Severity::Mild,
            Severity::Total,
            Severity::Random,
            Severity::Random,
        ])
    }

    /// How many of `count` changes in a row are kept.
    fn kept(self, count: usize, choices: &mut Choices) -> usize {
        match self {
            Severity::Mild => count,
            Severity::Random => count - number(choices, count),
            Severity::Total => 0,
        }
    }
}

/// From 0 to `most`.
fn number(choices: &mut Choices, most: usize) -> usize {
    let (mut drawn, mut left) = (0, most);
    while left > 0 {
        drawn = drawn << 8 | choices.below(256.min(left + 1));
        left >>= 8;
    }
    drawn % (most + 1)
}

/// The bytes of a file.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// What was done since, in order.
    since: Vec<BytesChange>,
}

#[derive(Debug)]
enum BytesChange {
    Cut(usize),
    Added(Vec<u8>),
}

impl Bytes {
    pub(super) fn now(&self) -> &[u8] {
        &self.now
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.now.extend_from_slice(bytes);
        self.since.push(BytesChange::Added(bytes.to_vec()));
    }

    pub(super) fn cut(&mut self, length: usize) {
        self.now.truncate(length);
        self.since.push(BytesChange::Cut(length));
    }

    pub(super) fn sync(&mut self) {
        if !self.since.is_empty() {
            self.synced.clone_from(&self.now);
            self.since.clear();
        }
    }

    /// Keeps the first changes and a part of the next one.
    pub(super) fn lose(&mut self, severity: Severity, choices: &mut Choices) {
        let changes = std::mem::take(&mut self.since);
        let kept = severity.kept(changes.len(), choices);
        for (at, change) in changes.iter().enumerate().take(kept + 1) {
            match change {
                BytesChange::Cut(length) if at < kept => self.synced.truncate(*length),
                BytesChange::Added(bytes) if at < kept => self.synced.extend_from_slice(bytes),
                BytesChange::Cut(_) => {}
                BytesChange::Added(bytes) => {
                    let torn_at = severity.kept(bytes.len(), choices);
                    self.synced.extend_from_slice(&bytes[..torn_at]);
                    // The length was written, the bytes were not.
                    if severity == Severity::Random && choices.chance(1, 4) {
                        self.synced
                            .resize(self.synced.len() + bytes.len() - torn_at, 0);
                    }
                }
            }
        }
        self.now.clone_from(&self.synced);
    }
}

/// The names in a folder.
#[derive(Debug, Default)]
pub(super) struct Names {
    now: BTreeMap<String, NodeId>,
    synced: BTreeMap<String, NodeId>,
    since: Vec<Since>,
}

#[derive(Debug)]
struct Since {
    change: NameChange,
    /// The sync of another folder has made it durable.
    certain: bool,
}

/// What became of a name. Those that belong to a move are half of a rename between two folders.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Set {
        name: String,
        node: NodeId,
        arrives: Option<MoveId>,
    },
    Gone {
        name: String,
        node: NodeId,
        leaves: Option<MoveId>,
    },
    /// Within the folder: both or neither.
    Renamed {
        from: String,
        to: String,
        node: NodeId,
    },
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        let mut gone = |name: &String, node: NodeId| {
            if names.get(name) == Some(&node) {
                names.remove(name);
            }
        };
        match self {
            NameChange::Set { name, node, .. } => {
                names.insert(name.clone(), *node);
            }
            NameChange::Gone { name, node, .. } => gone(name, *node),
            NameChange::Renamed { from, to, node } => {
                gone(from, *node);
                names.insert(to.clone(), *node);
            }
        }
    }
}

impl Names {
    pub(super) fn now(&self) -> &BTreeMap<String, NodeId> {
        &self.now
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.now);
        self.since.push(Since {
            change,
            certain: false,
        });
    }

    /// Gives back the moves that left from here: where they arrived is durable too, for nothing is taken away before it is there.
    pub(super) fn sync(&mut self) -> BTreeSet<MoveId> {
        self.synced.clone_from(&self.now);
        let leaving = self.since.drain(..).filter_map(|since| match since.change {
            NameChange::Gone { leaves, .. } => leaves,
            _ => None,
        });
        leaving.collect()
    }

    /// Arrivals of these moves will not be lost.
    pub(super) fn confirm(&mut self, moves: &BTreeSet<MoveId>) {
        for since in &mut self.since {
            if let NameChange::Set {
                arrives: Some(id), ..
            } = &since.change
            {
                since.certain |= moves.contains(id);
            }
        }
    }

    /// Loses changes, each by itself; says which moves did not arrive.
    pub(super) fn lose(&mut self, severity: Severity, choices: &mut Choices) -> BTreeSet<MoveId> {
        let mut lost = BTreeSet::new();
        self.since.retain(|since| {
            let kept = since.certain || severity.kept(1, choices) == 1;
            if let NameChange::Set {
                arrives: Some(id), ..
            } = &since.change
                && !kept
            {
                lost.insert(*id);
            }
            kept
        });
        lost
    }

    /// What is left is what there is; whoever was to leave for a place at which it did not arrive is still here.
    pub(super) fn settle(&mut self, lost: &BTreeSet<MoveId>) {
        for since in self.since.drain(..) {
            match &since.change {
                NameChange::Gone {
                    leaves: Some(id), ..
                } if lost.contains(id) => {}
                change => change.apply(&mut self.synced),
            }
        }
        self.now.clone_from(&self.synced);
    }
}
