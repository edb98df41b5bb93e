//! The names that a decoder looks for in a record, as a tree, and the slot in which each path's value is put.
//!
//! Several event types of one source share the tree: a path that two of them read is one slot. The tree learns the order in
//! which records write their members, so that a lookup is usually one comparison.

use std::ops::Range;

use hashbrown::HashMap;

/// From this many members on a name that was not guessed is looked up by hash.
const HASHED_FROM: usize = 9;

/// The root's number.
pub(super) const ROOT: usize = 0;

/// The number of no node.
const NOWHERE: usize = usize::MAX;

/// All paths of a source.
#[derive(Clone, Debug)]
pub(super) struct PathTree {
    nodes: Vec<Node>,
    slots: usize,
}

/// One object: the members that are looked for in it.
#[derive(Clone, Debug, Default)]
struct Node {
    members: Vec<Member>,
    by_name: HashMap<Box<[u8]>, u32>,
    /// The member found last.
    last: usize,
    /// For each member the one that came after it in the record before; the last entry is for the first member of a record.
    after: Vec<u32>,
}

/// A name in an object.
#[derive(Clone, Debug)]
pub(super) struct Member {
    name: Box<[u8]>,
    /// Where its value goes, when it is itself read.
    pub(super) slot: Option<u32>,
    /// The node for its own members, when one of them is read.
    pub(super) child: Option<usize>,
    /// Its own slot and those of everything below it.
    pub(super) covers: Range<usize>,
}

impl PathTree {
    /// Builds the tree; also gives the slot of each path, in order. A path is never empty.
    pub(super) fn new<'a>(paths: impl IntoIterator<Item = &'a [String]>) -> (PathTree, Vec<u32>) {
        let mut tree = PathTree {
            nodes: vec![Node::default()],
            slots: 0,
        };
        let places: Vec<(usize, usize)> = paths.into_iter().map(|path| tree.insert(path)).collect();
        tree.number();
        for node in &mut tree.nodes {
            node.prepare();
        }
        let slots = places
            .into_iter()
            .map(|(node, member)| {
                tree.nodes[node].members[member]
                    .slot
                    .expect("inserted as read")
            })
            .collect();
        (tree, slots)
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// A record's members of this object begin.
    pub(super) fn enter(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.last = node.members.len();
    }

    /// The member of this name, if it is read.
    pub(super) fn find(
        &mut self,
        node: usize,
        name: &[u8],
    ) -> Option<(Option<u32>, Option<usize>, Range<usize>)> {
        let node = &mut self.nodes[node];
        let guess = node.after[node.last] as usize;
        let at = match node.members.get(guess) {
            Some(member) if *member.name == *name => guess,
            _ => {
                let at = node.search(name)?;
                // There are fewer members than `prepare` could count.
                node.after[node.last] = at as u32;
                at
            }
        };
        node.last = at;
        let member = &node.members[at];
        Some((member.slot, member.child, member.covers.clone()))
    }

    fn insert(&mut self, path: &[String]) -> (usize, usize) {
        let (last, parents) = path.split_last().expect("a path names a field");
        let mut at = ROOT;
        for name in parents {
            let member = self.nodes[at].member(name);
            at = match self.nodes[at].members[member].child {
                Some(child) => child,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[at].members[member].child = Some(child);
                    child
                }
            };
        }
        let member = self.nodes[at].member(last);
        // Numbered once all are known.
        self.nodes[at].members[member].slot = Some(0);
        (at, member)
    }

    /// Gives slots their numbers so that what lies below a member is one range. Paths may be as long as a pattern file, so
    /// the way down is kept in a list.
    fn number(&mut self) {
        let mut way = vec![(ROOT, 0)];
        while let Some((node, at)) = way.pop() {
            if let Some(member) = self
                .nodes
                .get_mut(node)
                .and_then(|node| node.members.get_mut(at))
            {
                member.covers.start = self.slots;
                if let Some(slot) = &mut member.slot {
                    *slot =
                        u32::try_from(self.slots).expect("fewer than 2^32 paths fit into memory");
                    self.slots += 1;
                }
                way.push((node, at));
                // An end of the way down closes the member above it.
                way.push((member.child.unwrap_or(NOWHERE), 0));
            } else if let Some((parent, at)) = way.pop() {
                self.nodes[parent].members[at].covers.end = self.slots;
                way.push((parent, at + 1));
            }
        }
    }
}

impl Node {
    fn member(&mut self, name: &str) -> usize {
        let found = self
            .members
            .iter()
            .position(|member| *member.name == *name.as_bytes());
        found.unwrap_or_else(|| {
            self.members.push(Member {
                name: name.as_bytes().into(),
                slot: None,
                child: None,
                covers: 0..0,
            });
            self.members.len() - 1
        })
    }

    fn prepare(&mut self) {
        let count =
            u32::try_from(self.members.len()).expect("fewer than 2^32 names fit into memory");
        self.last = self.members.len();
        // At first: in order of declaration.
        self.after = (1..=count).chain([0]).collect();
        if self.members.len() >= HASHED_FROM {
            self.by_name = (0..count)
                .map(|at| (self.members[at as usize].name.clone(), at))
                .collect();
        }
    }

    fn search(&self, name: &[u8]) -> Option<usize> {
        if self.by_name.is_empty() {
            self.members.iter().position(|member| *member.name == *name)
        } else {
            self.by_name.get(name).map(|at| *at as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn what_lies_below_a_member_is_one_range() {
        let paths = [path("a.b"), path("c"), path("a.d.e"), path("a"), path("c")];
        let (tree, slots) = PathTree::new(paths.iter().map(Vec::as_slice));
        assert_eq!(tree.slots(), 4);
        assert_eq!(slots, [1, 3, 2, 0, 3]);
        assert_eq!(tree.nodes[ROOT].members[0].covers, 0..3);
        assert_eq!(tree.nodes[ROOT].members[1].covers, 3..4);
    }

    #[test]
    fn members_are_found_in_any_order_and_the_order_is_learned() {
        let names: Vec<Vec<String>> = (0..20).map(|n| path(&format!("f{n}"))).collect();
        for count in [3, 20] {
            let (mut tree, slots) = PathTree::new(names[..count].iter().map(Vec::as_slice));
            for _ in 0..3 {
                tree.enter(ROOT);
                for n in (0..count).rev() {
                    let found = tree.find(ROOT, format!("f{n}").as_bytes());
                    assert_eq!(found.and_then(|(slot, ..)| slot), Some(slots[n]));
                    assert_eq!(tree.find(ROOT, b"other"), None);
                }
            }
            let node = &tree.nodes[ROOT];
            assert_eq!(
                node.after[count] as usize,
                count - 1,
                "the last declared comes first"
            );
        }
    }
}
