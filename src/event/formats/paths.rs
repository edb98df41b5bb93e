//! The names that a decoder looks for in a record, as a tree, and the slot in which each path's value is put.
//!
//! Several event types of one source share the tree: a path that two of them read is one slot. The tree learns the order in
//! which records write their members, those that nobody reads among them, so that a lookup is usually one comparison with the bytes that follow, and not even
//! the end of a name is looked for.

use std::ops::Range;

use hashbrown::HashMap;

use super::chunk::Expected;

/// From this many members on a name that was not guessed is looked up by hash.
const HASHED_FROM: usize = 9;

/// So many names that nobody reads are learned in each object, and none longer than this.
const OTHERS_MAX: usize = 64;
const OTHER_BYTES_MAX: usize = 64;

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

/// One object: the members that are looked for in it, and behind them others that it has.
#[derive(Clone, Debug, Default)]
struct Node {
    members: Vec<Member>,
    /// How many of them are looked for.
    read: usize,
    by_name: HashMap<Box<[u8]>, u32>,
    /// The entry of `after` for the member found last.
    last: usize,
    /// First for the first member of a record, then for each member: the one that came next in the record before.
    after: Vec<u32>,
}

/// A name in an object.
#[derive(Clone, Debug)]
struct Member {
    name: Box<[u8]>,
    /// As it was written last, from the comma or brace before it up to its value: `"name":`, perhaps with spaces. Empty if it was never read.
    written: Expected,
    found: Found,
}

/// Names that are written with more than so many bytes around them are not guessed.
const WRITTEN_BYTES_MAX: usize = 128;

/// What a member is that nobody reads.
pub(super) static UNREAD: Found = Found {
    slot: None,
    child: None,
    covers: 0..0,
};

/// What is known of a member of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
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
                    .found
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

    /// What is read of this object: names, in order of declaration, and what becomes of each.
    #[cfg(any(feature = "avro", feature = "protobuf"))]
    pub(super) fn read(&self, node: usize) -> impl Iterator<Item = (&[u8], &Found)> {
        let node = &self.nodes[node];
        let read = node.members[..node.read].iter();
        read.map(|member| (&*member.name, &member.found))
    }

    /// A record's members of this object begin.
    #[inline]
    pub(super) fn enter(&mut self, node: usize) {
        self.nodes[node].last = 0;
    }

    /// If what stands at `at` is the member that came here in the record before, written the same way: what that member is, and how many bytes lie before its value.
    #[inline]
    pub(super) fn guess(
        &mut self,
        node: usize,
        bytes: &[u8],
        at: usize,
    ) -> Option<(&Found, usize)> {
        let node = &mut self.nodes[node];
        let next = node.after[node.last] as usize;
        let member = node.members.get(next)?;
        if !member.written.stands(bytes, at) {
            return None;
        }
        node.last = next + 1;
        Some((&member.found, member.written.length()))
    }

    /// What the member of this name is, which is written like this.
    pub(super) fn find(&mut self, node: usize, name: &[u8], written: &[u8]) -> &Found {
        let node = &mut self.nodes[node];
        let Some(at) = node.search(name).or_else(|| node.learn(name)) else {
            return &UNREAD;
        };
        // Few enough: see `prepare` and `learn`.
        node.after[node.last] = at as u32;
        node.last = at + 1;
        node.members[at].write(written);
        &node.members[at].found
    }

    fn insert(&mut self, path: &[String]) -> (usize, usize) {
        let (last, parents) = path.split_last().expect("a path names a field");
        let mut at = ROOT;
        for name in parents {
            let member = self.nodes[at].member(name);
            at = match self.nodes[at].members[member].found.child {
                Some(child) => child,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[at].members[member].found.child = Some(child);
                    child
                }
            };
        }
        let member = self.nodes[at].member(last);
        // Numbered once all are known.
        self.nodes[at].members[member].found.slot = Some(0);
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
                let found = &mut member.found;
                found.covers.start = self.slots;
                if let Some(slot) = &mut found.slot {
                    *slot =
                        u32::try_from(self.slots).expect("fewer than 2^32 paths fit into memory");
                    self.slots += 1;
                }
                way.push((node, at));
                // An end of the way down closes the member above it.
                way.push((found.child.unwrap_or(NOWHERE), 0));
            } else if let Some((parent, at)) = way.pop() {
                self.nodes[parent].members[at].found.covers.end = self.slots;
                way.push((parent, at + 1));
            }
        }
    }
}

impl Node {
    fn member(&mut self, name: &str) -> usize {
        self.position(name.as_bytes()).unwrap_or_else(|| {
            self.members.push(Member::new(name.as_bytes()));
            self.members.len() - 1
        })
    }

    fn prepare(&mut self) {
        self.read = self.members.len();
        let count = u32::try_from(self.read + OTHERS_MAX);
        count.expect("fewer than 2^32 names fit into memory");
        // At first: in order of declaration.
        self.after = (0..=self.read as u32).collect();
        self.hash();
    }

    fn search(&self, name: &[u8]) -> Option<usize> {
        if self.by_name.is_empty() {
            self.position(name)
        } else {
            self.by_name.get(name).map(|at| *at as usize)
        }
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        let mut members = self.members.iter();
        members.position(|member| *member.name == *name)
    }

    /// Makes a member of a name that nobody reads, so that it can be guessed from now on.
    fn learn(&mut self, name: &[u8]) -> Option<usize> {
        let at = self.members.len();
        if at == self.read + OTHERS_MAX || name.len() > OTHER_BYTES_MAX {
            return None;
        }
        self.members.push(Member::new(name));
        // Itself, which comes once.
        self.after.push(at as u32);
        self.hash();
        Some(at)
    }

    /// Members that were not hashed yet are, once there are enough.
    fn hash(&mut self) {
        if self.members.len() >= HASHED_FROM {
            let first = self.by_name.len();
            let members = (first as u32..).zip(&self.members[first..]);
            self.by_name
                .extend(members.map(|(at, member)| (member.name.clone(), at)));
        }
    }
}

impl Member {
    fn new(name: &[u8]) -> Member {
        Member {
            name: name.into(),
            written: Expected::nothing(),
            found: Found::default(),
        }
    }

    /// Keeps how it is written.
    fn write(&mut self, written: &[u8]) {
        if (1..=WRITTEN_BYTES_MAX).contains(&written.len()) {
            self.written.set(written);
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
        assert_eq!(tree.nodes[ROOT].members[0].found.covers, 0..3);
        assert_eq!(tree.nodes[ROOT].members[1].found.covers, 3..4);
    }

    /// A name as records mostly have it.
    fn written(name: &str) -> String {
        format!("\"{name}\":")
    }

    #[test]
    fn members_are_found_in_any_order_and_the_order_is_learned() {
        let names: Vec<Vec<String>> = (0..20).map(|n| path(&format!("f{n}"))).collect();
        for count in [3, 20] {
            let (mut tree, slots) = PathTree::new(names[..count].iter().map(Vec::as_slice));
            let find = |tree: &mut PathTree, name: &str| {
                let found = tree.find(ROOT, name.as_bytes(), written(name).as_bytes());
                found.slot
            };
            for _ in 0..3 {
                tree.enter(ROOT);
                for n in (0..count).rev() {
                    assert_eq!(find(&mut tree, &format!("f{n}")), Some(slots[n]));
                    assert_eq!(find(&mut tree, "other"), None);
                }
            }
            let last = format!("{{{} 5", written(&format!("f{}", count - 1)));
            let guess = |tree: &mut PathTree, text: &str| {
                let guess = tree.guess(ROOT, text.as_bytes(), 1);
                guess.map(|(found, bytes)| (found.slot, text[1 + bytes..].to_owned()))
            };
            tree.enter(ROOT);
            let place = Some(slots[count - 1]);
            assert_eq!(guess(&mut tree, &last), Some((place, " 5".to_owned())));
            for other in [",\"others\": 5", ",\"other\" : 5", ", \"other\":5", ",", ""] {
                assert_eq!(guess(&mut tree, other), None, "{other}");
            }
            let learned = Some((None, " 5".to_owned()));
            assert_eq!(
                guess(&mut tree, ",\"other\": 5"),
                learned,
                "what nobody reads is learned as well"
            );
        }
    }

    #[test]
    fn a_name_is_guessed_as_it_was_written_last() {
        let long = "x".repeat(OTHER_BYTES_MAX);
        for name in ["a", &long] {
            let (mut tree, _) = PathTree::new([&path(name)[..]]);
            let spaced = [" \t".repeat(4), written(name), " ".to_owned()].concat();
            for written in [written(name), spaced] {
                let record = format!("{{{written}5}}");
                tree.enter(ROOT);
                assert_eq!(tree.guess(ROOT, record.as_bytes(), 1), None);
                tree.find(ROOT, name.as_bytes(), written.as_bytes());
                tree.enter(ROOT);
                let guess = tree.guess(ROOT, record.as_bytes(), 1);
                assert_eq!(guess.map(|(_, bytes)| bytes), Some(written.len()));
                let cut = &record.as_bytes()[..written.len()];
                tree.enter(ROOT);
                assert_eq!(tree.guess(ROOT, cut, 1), None);
            }
            let far = [" ".repeat(WRITTEN_BYTES_MAX), written(name)].concat();
            tree.enter(ROOT);
            tree.find(ROOT, name.as_bytes(), far.as_bytes());
            tree.enter(ROOT);
            assert_eq!(tree.guess(ROOT, far.as_bytes(), 0), None);
        }
    }

    #[test]
    fn no_more_names_are_learned_than_are_worth_it() {
        let paths = [path("a")];
        let (mut tree, _) = PathTree::new(paths.iter().map(Vec::as_slice));
        for n in 0..1_000 {
            tree.enter(ROOT);
            let name = format!("f{n}");
            let names = [name.as_bytes(), &[b'x'; OTHER_BYTES_MAX + 1]];
            for name in names {
                assert_eq!(*tree.find(ROOT, name, b""), Found::default());
            }
            assert_eq!(tree.find(ROOT, b"a", b"").slot, Some(0));
        }
        let node = &tree.nodes[ROOT];
        assert_eq!(node.members.len(), 1 + OTHERS_MAX);
        assert_eq!(node.by_name.len(), node.members.len());
        assert_eq!(node.after.len(), 1 + node.members.len());
    }
}
