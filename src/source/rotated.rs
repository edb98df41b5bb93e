//! Finds a file that was followed under the name that it has by now, and those that were rotated out after it.
//!
//! Whoever rotates logs gives them other names in the same folder (where the name is a link: in the folder it leads to). The file itself is known by its number (inode). Which
//! files came between it and the one that has its name now is told by names alone: behind `log.3` come `log.2` and `log.1`, behind `log-2024-05-01`
//! those with a later date. A file of any other name may be somebody's copy and is left alone.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A number behind the last point of a name counts rotations if it has no more digits than these; with more it is a date.
const COUNT_DIGITS_MAX: usize = 3;

/// A file that has another name than before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rotated {
    pub path: PathBuf,
    /// Files to read after it, in order; the one that has its old name now is not among them.
    pub later: Vec<PathBuf>,
}

/// Looks for the file with this number beside `path`, and beside what it leads to.
///
/// # Errors
/// When a folder cannot be listed.
pub(super) fn find(path: &Path, inode: u64) -> io::Result<Option<Rotated>> {
    let mut folders = vec![folder_of(path)];
    if let Ok(leads_to) = fs::canonicalize(path) {
        let folder = folder_of(&leads_to);
        if fs::canonicalize(&folders[0]).is_ok_and(|first| first != folder) {
            folders.push(folder);
        }
    }
    for folder in folders {
        let names = names(&folder)?;
        let Some((name, _)) = names.iter().find(|(_, number)| *number == inode) else {
            continue;
        };
        let own = path.file_name().and_then(|name| name.to_str());
        let current = fs::metadata(path).ok().map(|about| about.ino());
        let others = names.iter().filter(|(_, number)| Some(*number) != current);
        let others = others.map(|(name, _)| name.as_str());
        let later = later(own.unwrap_or_default(), name, others);
        return Ok(Some(Rotated {
            path: folder.join(name),
            later: later.iter().map(|name| folder.join(name)).collect(),
        }));
    }
    Ok(None)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Files of a folder, by name, with their numbers. Links are not followed: they are other names of what lies here, or lie elsewhere.
fn names(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(about) = entry.metadata() else {
            // Gone between two looks.
            continue;
        };
        if let (true, Ok(name)) = (about.is_file(), entry.file_name().into_string()) {
            names.push((name, about.ino()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Names of files that were rotated out after `found`, which once was `own`, in order. `others` are sorted.
fn later<'a>(own: &str, found: &str, others: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let count = |name: &str| -> Option<u32> {
        let digits = name.strip_prefix(own)?.strip_prefix('.')?;
        let counts = digits.len() <= COUNT_DIGITS_MAX && digits.bytes().all(|c| c.is_ascii_digit());
        digits.parse().ok().filter(|_| counts)
    };
    if let Some(of_found) = count(found) {
        let counted = others.filter_map(|name| Some((count(name)?, name)));
        let mut later: Vec<(u32, &str)> = counted.filter(|(of, _)| *of < of_found).collect();
        later.sort_unstable_by(|a, b| b.cmp(a));
        return later.into_iter().map(|(_, name)| name).collect();
    }
    let dated = |name: &str| name != own && shape(name).eq(shape(found));
    others.filter(|name| *name > found && dated(name)).collect()
}

/// A name with all digits alike.
fn shape(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &str, others: &[&str], wanted: &[&str]) {
        let mut others = others.to_vec();
        others.sort_unstable();
        assert_eq!(
            later("app.log", found, others.into_iter()),
            wanted,
            "{found}"
        );
    }

    #[test]
    fn names_tell_which_files_were_rotated_out_later() {
        let counted = [
            "app.log",
            "app.log.1",
            "app.log.2",
            "app.log.10",
            "app.log.11",
            "app.log.bak",
            "app.log.2.gz",
            "web.log.1",
        ];
        check("app.log.1", &counted, &[]);
        check("app.log.10", &counted, &["app.log.2", "app.log.1"]);
        check(
            "app.log.11",
            &counted,
            &["app.log.10", "app.log.2", "app.log.1"],
        );
        let dated = [
            "app.log",
            "app.log-20240501",
            "app.log-20240502",
            "app.log-20240503",
            "app.log-20240503.gz",
            "app.log.1",
            "web.log-20240504",
        ];
        check(
            "app.log-20240501",
            &dated,
            &["app.log-20240502", "app.log-20240503"],
        );
        check("app.log-20240503", &dated, &[]);
        check(
            "app.log.1714521600",
            &["app.log.1714435200", "app.log.1714608000", "app.log.1"],
            &["app.log.1714608000"],
        );
        // Nothing is known of such.
        check("kept", &["app.log", "app.log.1", "lost"], &[]);
    }

    #[test]
    fn a_file_is_found_by_its_number_beside_its_name_or_where_that_leads() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        for name in [
            "app.log",
            "app.log.1",
            "app.log.2",
            "far/x-1",
            "far/x-2",
            "far/x-3",
        ] {
            fs::write(at(name), name).unwrap();
        }
        let inode = |name: &str| fs::metadata(at(name)).unwrap().ino();
        let found = |path: &str, name: &str| find(&at(path), inode(name)).unwrap();
        assert_eq!(
            found("app.log", "app.log.2"),
            Some(Rotated {
                path: at("app.log.2"),
                later: vec![at("app.log.1")],
            })
        );
        assert_eq!(found("app.log", "far/x-1"), None);
        std::os::unix::fs::symlink("far/x-3", at("now")).unwrap();
        let found = found("now", "far/x-1").unwrap();
        assert_eq!(found.path, fs::canonicalize(at("far/x-1")).unwrap());
        // What the name leads to now is read last, by that name.
        assert_eq!(found.later, [fs::canonicalize(at("far/x-2")).unwrap()]);
    }
}
