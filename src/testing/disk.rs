//! A disk in memory that loses what was not synced.
//!
//! It knows of every file and folder what is durable and what was done since. A [crash](SimDisk::crash) takes a random part of the latter: names are lost or kept each by
//! itself (a rename within a folder is whole or not at all; between two folders, both names may be left), bytes are lost, kept or torn, and where a file had
//! already grown there may be zeros. So a protocol that forgets a sync is found out by some seed. What was open or locked is so no more.
//!
//! Every call counts as an operation. [`SimDisk::fail_after`] and [`SimDisk::crash_after`] choose one of them, so that a test can go through all:
//!
//! ```
//! # use leitmotif::{disk::Disk, testing::{choices::Choices, disk::SimDisk}};
//! # use std::path::Path;
//! let disk = SimDisk::new();
//! disk.write(Path::new("/a"), b"rows")?;
//! disk.sync(Path::new("/a"))?;
//! disk.crash_after(0);
//! assert!(disk.sync(Path::new("/")).is_err());
//! disk.crash(&mut Choices::from_seed(1));
//! // The bytes were durable, the name was not: some crashes lose it.
//! assert!(disk.read(Path::new("/a")).is_ok_and(|bytes| bytes == b"rows") || disk.list(Path::new("/"))?.is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

mod losses;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::losses::{Bytes, MoveId, NameChange, Names, NodeId, Severity};
use super::choices::Choices;
use crate::disk::{Disk, Entry, Lock, OpenFile, SharedDisk};

/// The folder in which everything lies; it is always there.
const ROOT: NodeId = 0;

/// A disk and the machine that has it; copies are the same one.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<Machine>>);

#[derive(Debug)]
struct Machine {
    /// What has no name any more stays, but nobody finds it.
    nodes: Vec<Node>,
    locked: BTreeSet<NodeId>,
    moves: MoveId,
    operations: u64,
    /// What is to happen after so many operations.
    trouble: Option<(u64, Trouble)>,
    down: bool,
    /// How many crashes there were: what was open before one is closed.
    life: u64,
}

#[derive(Debug)]
enum Node {
    File(Bytes),
    Folder(Names),
}

/// Why an operation does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Fails,
    Crashes,
}

/// An open file.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    node: NodeId,
    life: u64,
}

/// A lock that is held.
struct SimLock {
    disk: SimDisk,
    node: NodeId,
    life: u64,
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

impl SimDisk {
    /// An empty disk: there is only `/`.
    #[must_use]
    pub fn new() -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Machine {
            nodes: vec![Node::Folder(Names::default())],
            locked: BTreeSet::new(),
            moves: 0,
            operations: 0,
            trouble: None,
            down: false,
            life: 0,
        })))
    }

    /// The same disk, for who takes any.
    #[must_use]
    pub fn shared(&self) -> SharedDisk {
        Arc::new(self.clone())
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.machine().operations
    }

    /// So many operations more work, then one fails as with a full disk: of an append half is done, of anything else nothing. Those after it work.
    pub fn fail_after(&self, operations: u64) {
        self.trouble(operations, Trouble::Fails);
    }

    /// So many operations more work, then the machine is down: that one and all others do nothing and fail, until there was a [crash](SimDisk::crash).
    pub fn crash_after(&self, operations: u64) {
        self.trouble(operations, Trouble::Crashes);
    }

    /// No operation that was chosen is met any more.
    pub fn calm(&self) {
        self.machine().trouble = None;
    }

    /// True from the operation at which it went down until the [crash](SimDisk::crash).
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.machine().down
    }

    /// Loses a part of what was not synced, and starts again with what is left.
    pub fn crash(&self, choices: &mut Choices) {
        let mut machine = self.machine();
        let severity = Severity::draw(choices);
        let mut lost = BTreeSet::new();
        for node in &mut machine.nodes {
            match node {
                Node::File(bytes) => bytes.lose(severity, choices),
                Node::Folder(names) => lost.extend(names.lose(severity, choices)),
            }
        }
        for node in &mut machine.nodes {
            if let Node::Folder(names) = node {
                names.settle(&lost);
            }
        }
        machine.locked.clear();
        machine.life += 1;
        machine.down = false;
        machine.trouble = None;
    }

    /// All files as whoever looks now sees them. No operation, and possible while the machine is down.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let machine = self.machine();
        let mut files = BTreeMap::new();
        let mut folders = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            let Node::Folder(names) = &machine.nodes[folder] else {
                continue;
            };
            for (name, node) in names.now() {
                match &machine.nodes[*node] {
                    Node::File(bytes) => {
                        files.insert(path.join(name), bytes.now().to_vec());
                    }
                    Node::Folder(_) => folders.push((path.join(name), *node)),
                }
            }
        }
        files
    }

    fn trouble(&self, operations: u64, trouble: Trouble) {
        let mut machine = self.machine();
        machine.trouble = Some((machine.operations + operations, trouble));
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine, for one operation.
    fn operate(&self) -> io::Result<MutexGuard<'_, Machine>> {
        let mut machine = self.machine();
        machine.step().map_err(Trouble::error)?;
        Ok(machine)
    }
}

impl Trouble {
    fn error(self) -> io::Error {
        io::Error::other(match self {
            Trouble::Fails => "the simulated disk fails here",
            Trouble::Crashes => "the simulated machine is down",
        })
    }
}

/// The names on the way to a place.
fn parts(path: &Path) -> io::Result<Vec<&str>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => parts.push(name.to_str().ok_or(ErrorKind::InvalidInput)?),
            Component::Prefix(_) | Component::ParentDir => {
                return Err(ErrorKind::InvalidInput.into());
            }
        }
    }
    Ok(parts)
}

impl Machine {
    fn step(&mut self) -> Result<(), Trouble> {
        if self.down {
            return Err(Trouble::Crashes);
        }
        let due = self.trouble.filter(|(at, _)| *at == self.operations);
        self.operations += 1;
        match due {
            None => Ok(()),
            Some((_, trouble)) => {
                self.trouble = None;
                self.down = trouble == Trouble::Crashes;
                Err(trouble)
            }
        }
    }

    fn walk(&self, parts: &[&str]) -> io::Result<NodeId> {
        let mut at = ROOT;
        for name in parts {
            let names = self.names(at)?.now();
            at = *names.get(*name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn find(&self, path: &Path) -> io::Result<NodeId> {
        self.walk(&parts(path)?)
    }

    /// The folder in which a place is, which must be there, and its name in it.
    fn place<'p>(&self, path: &'p Path) -> io::Result<(NodeId, &'p str)> {
        let parts = parts(path)?;
        let (name, folders) = parts.split_last().ok_or(ErrorKind::InvalidInput)?;
        let folder = self.walk(folders)?;
        self.names(folder)?;
        Ok((folder, name))
    }

    fn names(&self, node: NodeId) -> io::Result<&Names> {
        match &self.nodes[node] {
            Node::Folder(names) => Ok(names),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn bytes(&mut self, node: NodeId) -> io::Result<&mut Bytes> {
        match &mut self.nodes[node] {
            Node::File(bytes) => Ok(bytes),
            Node::Folder(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn change(&mut self, folder: NodeId, change: NameChange) {
        if let Node::Folder(names) = &mut self.nodes[folder] {
            names.change(change);
        }
    }

    fn set(&mut self, folder: NodeId, name: &str, node: NodeId) {
        let name = name.to_owned();
        let arrives = None;
        self.change(
            folder,
            NameChange::Set {
                name,
                node,
                arrives,
            },
        );
    }

    fn make(&mut self, folder: NodeId, name: &str, node: Node) -> NodeId {
        self.nodes.push(node);
        let made = self.nodes.len() - 1;
        self.set(folder, name, made);
        made
    }

    /// The file at a place, made if there is none.
    fn file(&mut self, path: &Path) -> io::Result<NodeId> {
        let (folder, name) = self.place(path)?;
        let found = self.names(folder)?.now().get(name).copied();
        let node = found.unwrap_or_else(|| self.make(folder, name, Node::File(Bytes::default())));
        self.bytes(node)?;
        Ok(node)
    }

    fn remove(&mut self, folder: NodeId, name: &str, node: NodeId) {
        let inside: Vec<(String, NodeId)> = match &self.nodes[node] {
            Node::File(_) => Vec::new(),
            Node::Folder(names) => names
                .now()
                .iter()
                .map(|(name, node)| (name.clone(), *node))
                .collect(),
        };
        for (name, below) in inside {
            self.remove(node, &name, below);
        }
        let (name, leaves) = (name.to_owned(), None);
        self.change(folder, NameChange::Gone { name, node, leaves });
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.find(from)?;
        let ((left, from_name), (entered, to_name)) = (self.place(from)?, self.place(to)?);
        if parts(to)?.starts_with(&parts(from)?) {
            // Onto itself: nothing to do. A folder into itself: impossible.
            return match parts(to)?.len() == parts(from)?.len() {
                true => Ok(()),
                false => Err(ErrorKind::InvalidInput.into()),
            };
        }
        if let Some(there) = self.names(entered)?.now().get(to_name) {
            match (&self.nodes[node], &self.nodes[*there]) {
                // Two names of one file: nothing happens.
                (Node::File(_), Node::File(_)) if *there == node => return Ok(()),
                (Node::File(_), Node::File(_)) => {}
                (Node::File(_), Node::Folder(_)) => return Err(ErrorKind::IsADirectory.into()),
                (Node::Folder(_), Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                (Node::Folder(_), Node::Folder(names)) if names.now().is_empty() => {}
                (Node::Folder(_), Node::Folder(_)) => {
                    return Err(ErrorKind::DirectoryNotEmpty.into());
                }
            }
        }
        let (from_name, to_name) = (from_name.to_owned(), to_name.to_owned());
        if left == entered {
            let renamed = NameChange::Renamed {
                from: from_name,
                to: to_name,
                node,
            };
            self.change(left, renamed);
            return Ok(());
        }
        self.moves += 1;
        let arrival = NameChange::Set {
            name: to_name,
            node,
            arrives: Some(self.moves),
        };
        let departure = NameChange::Gone {
            name: from_name,
            node,
            leaves: Some(self.moves),
        };
        self.change(entered, arrival);
        self.change(left, departure);
        Ok(())
    }

    fn sync(&mut self, node: NodeId) {
        let confirmed = match &mut self.nodes[node] {
            Node::File(bytes) => {
                bytes.sync();
                return;
            }
            Node::Folder(names) => names.sync(),
        };
        for node in &mut self.nodes {
            if let Node::Folder(names) = node {
                names.confirm(&confirmed);
            }
        }
    }
}

impl Disk for SimDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut machine = self.operate()?;
        let node = machine.file(path)?;
        let file = machine.bytes(node)?;
        file.cut(0);
        file.add(bytes);
        Ok(())
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut machine = self.machine();
        let stepped = machine.step();
        if stepped == Err(Trouble::Crashes) {
            return Err(Trouble::Crashes.error());
        }
        let node = machine.file(path)?;
        machine.append(node, bytes, stepped)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let mut machine = self.operate()?;
        let node = machine.file(path)?;
        let (disk, life) = (self.clone(), machine.life);
        Ok(Box::new(SimFile { disk, node, life }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut machine = self.operate()?;
        let node = machine.find(path)?;
        Ok(machine.bytes(node)?.now().to_vec())
    }

    fn read_at(&self, path: &Path, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut machine = self.operate()?;
        let node = machine.find(path)?;
        let bytes = machine.bytes(node)?.now();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or_default();
        Ok(rest[..count.min(rest.len())].to_vec())
    }

    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        let machine = self.operate()?;
        match machine.find(path) {
            Ok(node) => Ok(Some(match machine.nodes[node] {
                Node::File(_) => Entry::File,
                Node::Folder(_) => Entry::Folder,
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let mut machine = self.operate()?;
        let node = machine.find(path)?;
        Ok(machine.bytes(node)?.now().len() as u64)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut machine = self.operate()?;
        let node = machine.find(path)?;
        let file = machine.bytes(node)?;
        match usize::try_from(length) {
            Ok(length) if length <= file.now().len() => {
                file.cut(length);
                Ok(())
            }
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.operate()?;
        let node = machine.find(path)?;
        machine.sync(node);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate()?.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.operate()?;
        match machine.find(path) {
            Ok(node) => {
                let (folder, name) = machine.place(path)?;
                machine.remove(folder, name, node);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.operate()?;
        let mut at = ROOT;
        for name in parts(path)? {
            let found = machine.names(at)?.now().get(name).copied();
            at = found.unwrap_or_else(|| machine.make(at, name, Node::Folder(Names::default())));
        }
        machine.names(at).map(|_| ())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let machine = self.operate()?;
        let node = machine.find(path)?;
        Ok(machine.names(node)?.now().keys().cloned().collect())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.operate()?;
        let node = machine.find(from)?;
        machine.bytes(node)?;
        let (folder, name) = machine.place(to)?;
        if machine.names(folder)?.now().contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        machine.set(folder, name, node);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut machine = self.operate()?;
        let node = machine.find(path)?;
        if !machine.locked.insert(node) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (disk, life) = (self.clone(), machine.life);
        Ok(Lock::new(SimLock { disk, node, life }))
    }
}

impl Machine {
    /// Half of it, if this operation fails.
    fn append(
        &mut self,
        node: NodeId,
        bytes: &[u8],
        stepped: Result<(), Trouble>,
    ) -> io::Result<()> {
        let kept = match stepped {
            Ok(()) => bytes,
            Err(_) => &bytes[..bytes.len() / 2],
        };
        self.bytes(node)?.add(kept);
        stepped.map_err(Trouble::error)
    }
}

impl SimFile {
    /// The machine, unless it has been started anew since.
    fn machine(&self) -> io::Result<MutexGuard<'_, Machine>> {
        let machine = self.disk.machine();
        if machine.life == self.life {
            return Ok(machine);
        }
        Err(Trouble::Crashes.error())
    }
}

impl OpenFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut machine = self.machine()?;
        match machine.step() {
            Err(Trouble::Crashes) => Err(Trouble::Crashes.error()),
            stepped => machine.append(self.node, bytes, stepped),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut machine = self.machine()?;
        machine.step().map_err(Trouble::error)?;
        machine.sync(self.node);
        Ok(())
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut machine = self.disk.machine();
        if machine.life == self.life {
            machine.locked.remove(&self.node);
        }
    }
}
