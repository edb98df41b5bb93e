//! The names that a decoder looks for in a record, as a tree, and the slot in which each path's value is put.
//!
//! Several event types of one source share the tree: a path that two of them read is one slot. The tree learns the order in
//! which records write their members, those that nobody reads among them, so that a lookup is usually one comparison with the bytes that follow, and not even
//! the end of a name is looked for.

use std::ops::Range;

use hashbrown::HashMap;

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
    /// With the quote that ends it and the colon.
    key: Box<[u8]>,
    /// The first bytes of the key as one number, of which those below are compared.
    head: u128,
    mask: u128,
    /// True if it is written without escapes.
    plain: bool,
    found: Found,
}

/// So many bytes of a key are compared at once.
const HEAD_BYTES: usize = 16;

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
        read.map(|member| (member.name(), &member.found))
    }

    /// A record's members of this object begin.
    #[inline]
    pub(super) fn enter(&mut self, node: usize) {
        self.nodes[node].last = 0;
    }

    /// What follows an opening quote begins with the name that came here in the record before, a quote and a colon: what that member is, and how many bytes that takes.
    #[inline]
    pub(super) fn guess(&mut self, node: usize, bytes: &[u8]) -> Option<(&Found, usize)> {
        let node = &mut self.nodes[node];
        let at = node.after[node.last] as usize;
        let member = node.members.get(at)?;
        if !member.begins(bytes) {
            return None;
        }
        node.last = at + 1;
        Some((&member.found, member.key.len()))
    }

    /// What the member of this name is.
    pub(super) fn find(&mut self, node: usize, name: &[u8]) -> &Found {
        let node = &mut self.nodes[node];
        let Some(at) = node.search(name).or_else(|| node.learn(name)) else {
            return &UNREAD;
        };
        // Few enough: see `prepare` and `learn`.
        node.after[node.last] = at as u32;
        node.last = at + 1;
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
        members.position(|member| member.name() == name)
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
                .extend(members.map(|(at, member)| (member.name().into(), at)));
        }
    }
}

impl Member {
    fn new(name: &[u8]) -> Member {
        let escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let key: Box<[u8]> = [name, b"\":"].concat().into();
        let mut head = [0; HEAD_BYTES];
        let mut mask = [0; HEAD_BYTES];
        for (at, byte) in key.iter().take(HEAD_BYTES).enumerate() {
            head[at] = *byte;
            mask[at] = 0xff;
        }
        Member {
            key,
            head: u128::from_le_bytes(head),
            mask: u128::from_le_bytes(mask),
            plain: !name.iter().any(escaped),
            found: Found::default(),
        }
    }

    fn name(&self) -> &[u8] {
        &self.key[..self.key.len() - 2]
    }

    /// Whether the key stands here.
    #[inline]
    fn begins(&self, bytes: &[u8]) -> bool {
        let begins = match bytes.first_chunk::<HEAD_BYTES>() {
            Some(chunk) => {
                u128::from_le_bytes(*chunk) & self.mask == self.head
                    && (self.key.len() <= HEAD_BYTES || bytes.starts_with(&self.key))
            }
            None => bytes.starts_with(&self.key),
        };
        begins && self.plain
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

    #[test]
    fn members_are_found_in_any_order_and_the_order_is_learned() {
        let names: Vec<Vec<String>> = (0..20).map(|n| path(&format!("f{n}"))).collect();
        for count in [3, 20] {
            let (mut tree, slots) = PathTree::new(names[..count].iter().map(Vec::as_slice));
            for _ in 0..3 {
                tree.enter(ROOT);
                for n in (0..count).rev() {
                    let found = tree.find(ROOT, format!("f{n}").as_bytes());
                    assert_eq!(found.slot, Some(slots[n]));
                    assert_eq!(*tree.find(ROOT, b"other"), Found::default());
                }
            }
            tree.enter(ROOT);
            let last = format!("f{}\": 5", count - 1);
            let (found, bytes) = tree.guess(ROOT, last.as_bytes()).expect("it comes first");
            assert_eq!((found.slot, &last[bytes..]), (Some(slots[count - 1]), " 5"));
            assert_eq!(tree.guess(ROOT, b"others\": 5"), None);
            assert_eq!(tree.guess(ROOT, b"other\" : 5"), None);
            assert_eq!(
                tree.guess(ROOT, b"other\": 5"),
                Some((&Found::default(), 7)),
                "what nobody reads is learned as well"
            );
        }
    }

    #[test]
    fn names_that_are_written_with_escapes_are_never_guessed() {
        let paths = [vec!["a\"b".to_owned()], vec!["a\\nb".to_owned()]];
        let (mut tree, slots) = PathTree::new(paths.iter().map(Vec::as_slice));
        for (path, slot) in paths.iter().zip(&slots) {
            for _ in 0..2 {
                tree.enter(ROOT);
                let raw = format!("{}\":", path[0]);
                assert_eq!(tree.guess(ROOT, raw.as_bytes()), None);
                assert_eq!(tree.find(ROOT, path[0].as_bytes()).slot, Some(*slot));
            }
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
                assert_eq!(*tree.find(ROOT, name), Found::default());
            }
            assert_eq!(tree.find(ROOT, b"a").slot, Some(0));
        }
        let node = &tree.nodes[ROOT];
        assert_eq!(node.members.len(), 1 + OTHERS_MAX);
        assert_eq!(node.by_name.len(), node.members.len());
        assert_eq!(node.after.len(), 1 + node.members.len());
    }
}
