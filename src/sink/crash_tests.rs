//! Sinks against crashes: whatever is lost and whenever, what is to be seen in the end is what an undisturbed run leaves, and nothing is seen before it is committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{AfterCommit, Error, File, Folder, Roll, Sink};
use crate::disk::{Disk, SystemDisk};
use crate::epoch::Epoch;
use crate::testing::choices::Choices;
use crate::testing::disk::SimDisk;

/// What a sink is told; by epoch.
#[derive(Debug)]
struct Story(Vec<Vec<Act>>);

#[derive(Debug)]
enum Act {
    Write(String),
    Flush,
}

impl Story {
    /// Rows are numbered from 0.
    fn draw(choices: &mut Choices) -> Story {
        let mut row = 0;
        let mut act = |choices: &mut Choices| {
            if choices.chance(1, 4) {
                return Act::Flush;
            }
            let mut rows = String::new();
            for _ in 0..=choices.below(3) {
                let filler = "x".repeat(choices.below(12));
                writeln!(rows, "{row} {filler}").expect("a text");
                row += 1;
            }
            Act::Write(rows)
        };
        let mut epoch =
            |choices: &mut Choices| (0..choices.below(6)).map(|_| act(choices)).collect();
        Story((0..1 + choices.below(6)).map(|_| epoch(choices)).collect())
    }

    /// All rows of the first epochs.
    fn rows(&self, epochs: usize) -> String {
        let acts = self.0[..epochs].iter().flatten();
        acts.filter_map(|act| match act {
            Act::Write(rows) => Some(rows.as_str()),
            Act::Flush => None,
        })
        .collect()
    }
}

/// What outlives a crash besides the output: the manifest of the last committed checkpoint.
#[derive(Debug, Default)]
struct Coordinator {
    committed: Option<(Epoch, Vec<u8>)>,
    /// How many epochs of the story that is.
    done: usize,
    /// The last number that was used.
    last: Epoch,
}

/// When somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Names and bytes may be as the crash left them.
    Crashed,
    Restored,
    Running,
    /// All is committed.
    Ended,
}

/// An output, and who looks at it.
struct Output<'a> {
    open: &'a dyn Fn() -> Result<Box<dyn Sink>, Error>,
    look: &'a dyn Fn(&Story, &Coordinator, Moment),
}

/// Calls until the process is killed.
struct Life(usize);

impl Life {
    /// A call has ended.
    fn step(&mut self, called: Result<(), Error>) -> Result<(), Error> {
        called?;
        match self.0.checked_sub(1) {
            Some(left) => self.0 = left,
            None => return Err(Error::new("killed")),
        }
        Ok(())
    }
}

/// Goes on from the last committed epoch to the end of the story, or until something fails.
fn run(
    story: &Story,
    coordinator: &mut Coordinator,
    output: &Output<'_>,
    mut life: Life,
    choices: &mut Choices,
) -> Result<(), Error> {
    let mut sink = (output.open)()?;
    let committed = coordinator.committed.as_ref();
    life.step(sink.restore(committed.map(|(epoch, kept)| (*epoch, kept.as_slice()))))?;
    (output.look)(story, coordinator, Moment::Restored);
    let mut told = None;
    for at in coordinator.done..story.0.len() {
        for act in &story.0[at] {
            life.step(match act {
                Act::Write(rows) => sink.write(rows.as_bytes()),
                Act::Flush => sink.flush(),
            })?;
            (output.look)(story, coordinator, Moment::Running);
            if let Some(epoch) = told.take_if(|_| choices.chance(1, 3)) {
                life.step(sink.commit(epoch))?;
                (output.look)(story, coordinator, Moment::Running);
            }
        }
        if let Some(epoch) = told.take() {
            life.step(sink.commit(epoch))?;
        }
        (output.look)(story, coordinator, Moment::Running);
        coordinator.last = coordinator.last.next();
        let kept = sink.prepare(coordinator.last)?;
        life.step(Ok(()))?;
        (output.look)(story, coordinator, Moment::Running);
        // Somebody else could not prepare: the epoch is given up.
        if at + 1 < story.0.len() && choices.chance(1, 8) {
            continue;
        }
        coordinator.committed = Some((coordinator.last, kept));
        coordinator.done = at + 1;
        told = Some(coordinator.last);
        life.step(Ok(()))?;
    }
    if let Some(epoch) = told {
        life.step(sink.commit(epoch))?;
        // Again does no harm.
        life.step(sink.commit(epoch))?;
    }
    sink.close()?;
    (output.look)(story, coordinator, Moment::Ended);
    Ok(())
}

/// A folder with the files of an output, on some disk.
const FOLDER: &str = "/out/a";

fn in_folder(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Durable files, of which each path is whole.
fn put(disk: &dyn Disk, files: &[(&str, &str)]) {
    let folder = Path::new(FOLDER);
    disk.make_folder(folder).unwrap();
    for (name, text) in files {
        disk.write(&in_folder(name), text.as_bytes()).unwrap();
        disk.sync(&in_folder(name)).unwrap();
    }
    for folder in folder.ancestors() {
        disk.sync(folder).unwrap();
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

/// Names and contents of files that are not hidden.
fn seen(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<(String, String)> {
    let named = files.iter().map(|(path, bytes)| {
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), text(bytes.clone()))
    });
    named.filter(|(name, _)| !name.starts_with('.')).collect()
}

/// No file is there that a reader must not see.
fn check_folder(
    files: &BTreeMap<PathBuf, Vec<u8>>,
    story: &Story,
    coordinator: &Coordinator,
    moment: Moment,
) {
    let committed = story.rows(coordinator.done);
    let seen = seen(files);
    if moment == Moment::Crashed {
        // Each name may be lost by itself, and the next run brings it back.
        for (name, text) in &seen {
            assert!(
                text == OLD.1 || committed.contains(text.as_str()),
                "{name} holds what is not committed: {text:?}"
            );
        }
        return;
    }
    let ours = seen.iter().filter(|(_, text)| text != OLD.1);
    let rows: String = ours.map(|(_, text)| text.as_str()).collect();
    assert!(
        committed.starts_with(&rows),
        "{seen:?} are seen, but committed is {committed:?}"
    );
    let first = seen.first().map_or(1, |(name, _)| number(name));
    for (at, (name, _)) in seen.iter().enumerate() {
        assert_eq!(number(name), first + at, "{name} is not the next");
    }
    if moment == Moment::Ended {
        assert_eq!(rows, story.rows(story.0.len()));
        assert_eq!(seen.len(), files.len(), "hidden files are left: {files:?}");
    }
}

fn number(name: &str) -> usize {
    let digits = name.strip_prefix("a-").and_then(|name| name.get(..6));
    digits.and_then(|digits| digits.parse().ok()).expect(name)
}

/// A file that was there before.
const OLD: (&str, &str) = ("a-000007.ndjson", "old\n");

/// One that another state left.
const STRAY: (&str, &str) = (".a-000009.ndjson.pending", "stray\n");

fn roll(choices: &mut Choices) -> Roll {
    let (bytes, hour) = (*choices.pick(&[1 << 40, 1, 20, 60]), 3_600);
    Roll {
        max_bytes: bytes,
        every: Duration::from_secs(if choices.chance(1, 6) { 0 } else { hour }),
    }
}

/// A folder on a simulated disk.
struct SimFolder {
    disk: SimDisk,
    roll: Roll,
}

impl SimFolder {
    fn draw(choices: &mut Choices) -> SimFolder {
        let folder = SimFolder {
            disk: SimDisk::new(),
            roll: roll(choices),
        };
        match choices.below(4) {
            0 => put(&folder.disk, &[]),
            1 => {
                let above = Path::new("/out");
                folder.disk.make_folder(above).unwrap();
                folder.disk.sync(Path::new("/")).unwrap();
            }
            2 => put(&folder.disk, &[OLD]),
            _ => put(&folder.disk, &[OLD, STRAY]),
        }
        folder
    }

    fn output<T>(&self, body: impl FnOnce(&Output<'_>) -> T) -> T {
        body(&Output {
            open: &|| {
                let sink = Folder::open_on(self.disk.shared(), Path::new(FOLDER), self.roll)?;
                Ok(Box::new(sink))
            },
            look: &|story, coordinator, moment| {
                let mut files = self.disk.files();
                if moment != Moment::Restored && coordinator.committed.is_none() {
                    files.remove(&in_folder(STRAY.0));
                }
                check_folder(&files, story, coordinator, moment);
            },
        })
    }
}

/// A file on a simulated disk.
struct SimFile(SimDisk);

impl SimFile {
    fn draw(choices: &mut Choices) -> SimFile {
        let file = SimFile(SimDisk::new());
        match choices.below(2) {
            0 => put(&file.0, &[]),
            _ => put(&file.0, &[("rows.ndjson", "old\n")]),
        }
        file
    }

    fn output<T>(&self, body: impl FnOnce(&Output<'_>) -> T) -> T {
        body(&Output {
            open: &|| {
                let sink = File::create_on(self.0.shared(), &in_folder("rows.ndjson"))?;
                Ok(Box::new(sink))
            },
            look: &|story, coordinator, moment| {
                let files = self.0.files();
                let Some(rows) = files.get(&in_folder("rows.ndjson")) else {
                    assert!(moment == Moment::Crashed && coordinator.committed.is_none());
                    return;
                };
                let rows = String::from_utf8_lossy(rows);
                let committed = story.rows(coordinator.done);
                match moment {
                    Moment::Restored | Moment::Ended => assert_eq!(rows, committed),
                    Moment::Running => assert!(rows.starts_with(&committed)),
                    Moment::Crashed if coordinator.committed.is_none() => {}
                    Moment::Crashed => assert!(rows.starts_with(&committed)),
                }
            },
        })
    }
}

/// Runs until the story ends, with trouble on the way; once more after that, with nothing left to do.
fn live(disk: &SimDisk, story: &Story, output: &Output<'_>, choices: &mut Choices) {
    let mut coordinator = Coordinator::default();
    let mut trouble = 0;
    loop {
        match choices.below(4) {
            _ if trouble > 8 => disk.calm(),
            0 => disk.calm(),
            1 => disk.fail_after(choices.below(90) as u64),
            _ => disk.crash_after(choices.below(90) as u64),
        }
        let life = match choices.chance(1, 6) && trouble <= 8 {
            true => Life(choices.below(40)),
            false => Life(usize::MAX),
        };
        let ran = run(story, &mut coordinator, output, life, choices);
        let ended = ran.is_ok();
        trouble += 1;
        if let Err(error) = ran {
            let error = error.to_string();
            let expected = ["simulated", "killed", "an earlier write"];
            assert!(expected.iter().any(|part| error.contains(part)), "{error}");
        }
        if disk.is_down() || choices.chance(1, 4) {
            disk.crash(choices);
            (output.look)(story, &coordinator, Moment::Crashed);
        }
        if ended {
            break;
        }
    }
    disk.calm();
    let rerun = run(story, &mut coordinator, output, Life(usize::MAX), choices);
    rerun.expect("nothing is wrong any more");
}

/// The files of a run without trouble.
fn undisturbed(disk: &SimDisk, story: &Story, output: &Output<'_>) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut coordinator, mut choices) = (Coordinator::default(), Choices::from_bytes(&[]));
    let ran = run(
        story,
        &mut coordinator,
        output,
        Life(usize::MAX),
        &mut choices,
    );
    ran.expect("nothing is wrong");
    disk.files()
}

/// Each test runs so many; the seed is in the message of one that fails.
fn seeds(count: u64, check: impl Fn(u64, &mut Choices) + std::panic::RefUnwindSafe) {
    for seed in 0..count {
        let caught = std::panic::catch_unwind(|| check(seed, &mut Choices::from_seed(seed)));
        assert!(caught.is_ok(), "seed {seed}");
    }
}

#[test]
fn a_folder_shows_committed_rows_once_whatever_is_lost_and_when() {
    seeds(10_000, |seed, choices| {
        let story = Story::draw(choices);
        let folder = SimFolder::draw(choices);
        let mut again = Choices::from_seed(seed);
        let twin = (Story::draw(&mut again), SimFolder::draw(&mut again)).1;
        let wanted = twin.output(|output| undisturbed(&twin.disk, &story, output));
        folder.output(|output| live(&folder.disk, &story, output, choices));
        assert_eq!(folder.disk.files(), wanted);
    });
}

#[test]
fn a_file_holds_committed_rows_once_whatever_is_lost_and_when() {
    seeds(10_000, |_, choices| {
        let story = Story::draw(choices);
        let file = SimFile::draw(choices);
        file.output(|output| live(&file.0, &story, output, choices));
    });
}

/// The same story with a crash, and with a failure, at every operation.
fn at_every_operation(
    story: &Story,
    draw: impl Fn() -> SimDisk,
    with_output: impl Fn(&SimDisk, &mut dyn FnMut(&Output<'_>)),
) {
    let script = || Choices::from_seed(5);
    let disk = draw();
    let mut operations = 0;
    with_output(&disk, &mut |output| {
        let before = disk.operations();
        let (mut coordinator, life) = (Coordinator::default(), Life(usize::MAX));
        run(story, &mut coordinator, output, life, &mut script()).expect("nothing is wrong");
        operations = disk.operations() - before;
    });
    let wanted = disk.files();
    for (at, crashes) in (0..operations).flat_map(|at| [(at, true), (at, false)]) {
        let disk = draw();
        with_output(&disk, &mut |output| {
            let mut coordinator = Coordinator::default();
            match crashes {
                true => disk.crash_after(at),
                false => disk.fail_after(at),
            }
            let ran = run(
                story,
                &mut coordinator,
                output,
                Life(usize::MAX),
                &mut script(),
            );
            ran.expect_err("something fails");
            if crashes {
                disk.crash(&mut Choices::from_seed(at));
                (output.look)(story, &coordinator, Moment::Crashed);
            }
            let ran = run(
                story,
                &mut coordinator,
                output,
                Life(usize::MAX),
                &mut script(),
            );
            ran.expect("nothing is wrong any more");
        });
        assert_eq!(disk.files(), wanted, "operation {at}, crashes: {crashes}");
    }
}

#[test]
fn a_crash_or_failure_at_any_operation_changes_nothing_in_the_end() {
    seeds(40, |_, choices| {
        let story = Story::draw(choices);
        let taken = choices.taken().len();
        let (folder, file) = (SimFolder::draw(choices), SimFile::draw(choices));
        let drawn = choices.taken()[taken..].to_vec();
        let again = || {
            let mut choices = Choices::from_bytes(&drawn);
            (SimFolder::draw(&mut choices), SimFile::draw(&mut choices))
        };
        drop((folder, file));
        at_every_operation(
            &story,
            || again().0.disk,
            |disk, body| {
                let roll = again().0.roll;
                let disk = disk.clone();
                SimFolder { disk, roll }.output(body);
            },
        );
        at_every_operation(
            &story,
            || again().1.0,
            |disk, body| SimFile(disk.clone()).output(body),
        );
    });
}

#[test]
fn the_systems_disk_gives_the_same_after_kills() {
    for seed in 0..25 {
        let mut choices = Choices::from_seed(seed);
        let (story, roll) = (Story::draw(&mut choices), roll(&mut choices));
        let place = tempfile::tempdir().unwrap();
        let (folder, file) = (place.path().join("a"), place.path().join("rows"));
        let files = || -> BTreeMap<PathBuf, Vec<u8>> {
            let paths = std::fs::read_dir(&folder).unwrap();
            let paths = paths.map(|entry| entry.unwrap().path());
            paths
                .map(|path| (path.clone(), std::fs::read(path).unwrap()))
                .collect()
        };
        let outputs: [Output<'_>; 2] = [
            Output {
                open: &|| Ok(Box::new(Folder::open(&folder, roll)?)),
                look: &|story, coordinator, moment| {
                    check_folder(&files(), story, coordinator, moment);
                },
            },
            Output {
                open: &|| Ok(Box::new(File::create_on(SystemDisk::shared(), &file)?)),
                look: &|story, coordinator, moment| {
                    let rows = text(std::fs::read(&file).unwrap());
                    let committed = story.rows(coordinator.done);
                    assert!(rows.starts_with(&committed));
                    if moment == Moment::Restored || moment == Moment::Ended {
                        assert_eq!(rows, committed);
                    }
                },
            },
        ];
        for output in outputs {
            let mut coordinator = Coordinator::default();
            for _ in 0..4 {
                let life = Life(choices.below(30));
                let _ = run(&story, &mut coordinator, &output, life, &mut choices);
            }
            let life = Life(usize::MAX);
            let ran = run(&story, &mut coordinator, &output, life, &mut choices);
            ran.expect("nothing is wrong");
        }
    }
}

/// Who cannot give anything back.
#[derive(Clone, Debug, Default)]
struct Receiver(Arc<Mutex<String>>);

impl Sink for Receiver {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        let rows = std::str::from_utf8(rows).expect("text");
        self.0.lock().unwrap().push_str(rows);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn after_commit_a_receiver_gets_committed_rows_alone_and_all_of_them() {
    for seed in 0..3_000 {
        let mut choices = Choices::from_seed(seed);
        let story = Story::draw(&mut choices);
        let receiver = Receiver::default();
        let output = Output {
            open: &|| Ok(Box::new(AfterCommit::new("there", receiver.clone()))),
            look: &|story, coordinator, moment| {
                let mut got = String::new();
                // Rows are numbered: what comes again is known.
                for line in receiver.0.lock().unwrap().lines() {
                    if line.split(' ').next() == Some(&got.lines().count().to_string()) {
                        writeln!(got, "{line}").expect("a text");
                    }
                }
                let committed = story.rows(coordinator.done);
                assert!(committed.starts_with(&got), "seed {seed}");
                if moment == Moment::Ended {
                    assert_eq!(got, story.rows(story.0.len()), "seed {seed}");
                }
            },
        };
        let mut coordinator = Coordinator::default();
        for _ in 0..choices.below(5) {
            let life = Life(choices.below(30));
            let _ = run(&story, &mut coordinator, &output, life, &mut choices);
        }
        let life = Life(usize::MAX);
        let ran = run(&story, &mut coordinator, &output, life, &mut choices);
        ran.expect("nothing is wrong");
    }
}
