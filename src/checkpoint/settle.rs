//! What a crash has cut short, settled before a run goes on.
//!
//! A checkpoint that says it is committed is. One that is only prepared counts if its outputs decide that, and have committed it: the process died between their commit and the
//! note of it in the folder. Whatever else is only prepared was given up.

use super::{CommitPoint, Error, Folder, Manifest};
use crate::epoch::Epoch;
use crate::sink::decides;

/// Notes what outputs have committed. Gives back the epoch that they say is the newest, if they decide and know one.
///
/// # Errors
/// When outputs that decide are not among those of this run or cannot be asked; when the folder does not have what they have committed: it is a copy of an earlier one.
pub(crate) fn settle(
    folder: &Folder,
    point: Option<&mut Box<dyn CommitPoint>>,
) -> Result<Option<Epoch>, Error> {
    let found = folder.checkpoints()?;
    let newest = found.iter().find(|found| found.committed);
    let prepared = found.iter().take_while(|found| !found.committed);
    // One whose manifest was torn by the crash is not prepared.
    let prepared = prepared.filter_map(|found| folder.manifest(&found.path).ok());
    let prepared: Vec<Manifest> = prepared
        .filter(|manifest| manifest.sinks.iter().any(|(_, kept)| decides(kept)))
        .collect();
    let Some(point) = point else {
        return match prepared.first() {
            None => Ok(None),
            Some(manifest) => Err(undecided(folder, manifest)),
        };
    };
    let outputs: Vec<(String, Vec<u8>)> = (prepared.iter())
        .flat_map(|manifest| &manifest.sinks)
        .filter(|(_, kept)| decides(kept))
        .cloned()
        .collect();
    let Some(decided) = point.committed(&outputs)? else {
        return Ok(None);
    };
    // Damaged perhaps: then an older one is used.
    let is_there = found.iter().any(|found| found.epoch == decided);
    if prepared.iter().any(|manifest| manifest.epoch == decided) {
        folder.commit(decided)?;
        tracing::info!(epoch = %decided, "a checkpoint that was prepared is committed, its outputs say");
    } else if newest.is_none_or(|newest| newest.epoch < decided && !is_there) {
        return Err(behind(folder, newest.map(|newest| newest.epoch), decided));
    }
    Ok(Some(decided))
}

fn undecided(folder: &Folder, manifest: &Manifest) -> Error {
    let path = folder.epoch_path(manifest.epoch);
    let deciding = manifest.sinks.iter().filter(|(_, kept)| decides(kept));
    let outputs: Vec<&str> = deciding.map(|(name, _)| name.as_str()).collect();
    Error::new(format!(
        "checkpoint \"{}\" is prepared, and only its outputs ({}) know whether it is committed; start once more with them, or remove that folder if its rows may come again",
        path.display(),
        outputs.join(", ")
    ))
}

fn behind(folder: &Folder, newest: Option<Epoch>, decided: Epoch) -> Error {
    let shown = folder.path().display();
    let (has, way) = match newest {
        None => (
            "has no checkpoint".to_owned(),
            "name another one to begin without state".to_owned(),
        ),
        Some(newest) => (
            format!("has none after {newest}, as a copy of an earlier one would"),
            format!(
                "or begin another one with what is left, whose rows then come again: --state NEW --from {}",
                folder.epoch_path(newest).display()
            ),
        ),
    };
    Error::new(format!(
        "state \"{shown}\": its outputs have committed checkpoint {decided}, and the folder {has}; bring the right folder back, {way}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Positions;
    use crate::disk::SystemDisk;

    /// What a topic gives to a checkpoint.
    const TOPIC: &[u8] = b"\x01\x04\x01c\x01t";

    /// Outputs that have committed this epoch.
    struct Knowing(Option<u64>);

    impl CommitPoint for Knowing {
        fn committed(&mut self, outputs: &[(String, Vec<u8>)]) -> Result<Option<Epoch>, Error> {
            assert!(outputs.iter().all(|(_, kept)| kept == TOPIC), "{outputs:?}");
            Ok(self.0.map(Epoch))
        }

        fn commit(&mut self, _: Epoch, _: &Positions) -> Result<(), Error> {
            unreachable!("nothing new is committed")
        }
    }

    fn manifest(epoch: u64, kept: &[u8]) -> Manifest {
        Manifest {
            sinks: vec![
                ("rows".to_owned(), b"\x01\x03".to_vec()),
                ("out".to_owned(), kept.to_vec()),
            ],
            ..Manifest::bare(Epoch(epoch))
        }
    }

    /// A folder with checkpoint 5 committed and 6 prepared by an output that gave these bytes, settled; gives back whether 6 is committed then.
    fn check(kept: &[u8], outputs: Option<Knowing>) -> Result<bool, String> {
        let path = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(path.path(), SystemDisk::shared()).expect("opened");
        for epoch in [5, 6] {
            folder.prepare(&manifest(epoch, kept)).expect("prepared");
        }
        folder.commit(Epoch(5)).expect("committed");
        let mut point = outputs.map(|outputs| Box::new(outputs) as Box<dyn CommitPoint>);
        let decided = settle(&folder, point.as_mut()).map_err(|error| error.to_string())?;
        let found = folder.checkpoints().expect("read");
        assert_eq!((found.len(), found[1].committed), (2, true));
        assert!(decided.is_none() || point.is_some());
        Ok(found[0].committed)
    }

    #[test]
    fn a_prepared_checkpoint_counts_if_its_outputs_have_committed_it() {
        assert_eq!(check(TOPIC, Some(Knowing(Some(6)))), Ok(true));
        assert_eq!(check(TOPIC, Some(Knowing(Some(5)))), Ok(false));
        // None was committed yet, or the broker has forgotten it: what says it is committed is.
        assert_eq!(check(TOPIC, Some(Knowing(None))), Ok(false));
        // For a while there were no outputs that decide.
        assert_eq!(check(TOPIC, Some(Knowing(Some(2)))), Ok(false));
    }

    #[test]
    fn outputs_that_do_not_decide_leave_it_to_the_folder() {
        let file = b"\x01\x01\x08\x00";
        assert_eq!(check(file, None), Ok(false));
        // An output that decides is new: it knows nothing of what was prepared without it.
        assert_eq!(check(file, Some(Knowing(None))), Ok(false));
    }

    #[test]
    fn a_prepared_checkpoint_whose_outputs_are_gone_is_refused() {
        let error = check(TOPIC, None).expect_err("nobody knows");
        assert!(error.contains("epoch-00000006"), "{error}");
        assert!(
            error.contains("(out) know whether it is committed"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_that_lacks_what_is_committed_is_refused() {
        let error = check(TOPIC, Some(Knowing(Some(9)))).expect_err("an old copy");
        assert!(error.contains("have committed checkpoint 9"), "{error}");
        assert!(error.contains("none after 5"), "{error}");
        assert!(error.contains("--from"), "{error}");
    }

    #[test]
    fn a_prepared_manifest_that_was_torn_is_none() {
        let path = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(path.path(), SystemDisk::shared()).expect("opened");
        for epoch in [1, 2] {
            folder.prepare(&manifest(epoch, TOPIC)).expect("prepared");
        }
        let torn = folder.epoch_path(Epoch(2)).join("manifest.prepared");
        let bytes = std::fs::read(&torn).expect("read");
        std::fs::write(&torn, &bytes[..bytes.len() / 2]).expect("written");
        let mut point: Option<Box<dyn CommitPoint>> = Some(Box::new(Knowing(Some(2))));
        // It had been whole when the outputs committed, so nothing begins anew; what is older is used if there is any.
        let error = settle(&folder, point.as_mut()).expect_err("nothing is left");
        assert!(error.to_string().contains("has no checkpoint"), "{error}");
        folder.commit(Epoch(1)).expect("committed");
        assert_eq!(settle(&folder, point.as_mut()), Ok(Some(Epoch(2))));
    }
}
