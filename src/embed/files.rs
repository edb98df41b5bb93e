//! Finds and reads pattern files.
//!
//! A folder stands for every `.motif` file below it, in the order of their paths; hidden folders are passed over and links to folders are
//! not followed, so a walk always ends. `./...` is the folder `.`, for people who know it from elsewhere.
//!
//! Programs name files to [`Builder::patterns`](super::Builder::patterns); what is public here is for the command line.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, ErrorKind};
use crate::lang::span::SourceMap;

/// The largest pattern file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = crate::lang::parser::FILE_BYTES_MAX as u64;

/// Every pattern file that `paths` name, each once.
///
/// # Errors
/// When a path does not exist, can't be read, or is a folder without pattern files.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in paths {
        let path = &without_dots(path);
        let meta = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !meta.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        walk(path, &mut found)?;
        if found.len() == before {
            return Err(unusable(format!(
                "folder \"{}\" holds no .motif file; name another folder, or a pattern file",
                path.display()
            )));
        }
    }
    let mut seen = HashSet::new();
    found.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    Ok(found)
}

/// Reads every pattern file that `paths` name.
///
/// # Errors
/// As [`find`], and when a file is not text or larger than [`FILE_BYTES_MAX`].
pub fn load(paths: &[PathBuf]) -> Result<SourceMap, Error> {
    let mut files = SourceMap::default();
    for path in find(paths)? {
        files.add(shown(&path), read(&path)?);
    }
    Ok(files)
}

/// Reads one pattern file.
///
/// # Errors
/// When it can't be read, is not text, or is larger than [`FILE_BYTES_MAX`].
pub fn read(path: &Path) -> Result<String, Error> {
    let meta = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(unusable(format!(
            "pattern file \"{}\" has {} bytes, the limit is {FILE_BYTES_MAX}; split it into several files",
            path.display(),
            meta.len()
        )));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    text(&shown(path), bytes)
}

/// The text that `bytes` are, named `name` in messages.
///
/// # Errors
/// When they are not UTF-8.
pub fn text(name: &str, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
            + 1;
        unusable(format!(
            "pattern file \"{name}\" is not UTF-8 text at line {line} (byte {at}); save it as UTF-8"
        ))
    })
}

/// A path as messages show it: without a leading `./`.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// `dir/...` is `dir`.
fn without_dots(path: &Path) -> PathBuf {
    if path.file_name().is_none_or(|name| name != "...") {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut entries = entries
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(folder, &error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry
            .file_type()
            .map_err(|error| unreadable(&path, &error))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if kind.is_dir() && !hidden {
            walk(&path, found)?;
        } else if !kind.is_dir()
            && path.extension().is_some_and(|ext| ext == "motif")
            && path.is_file()
        {
            found.push(path);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    unusable(match error.kind() {
        io::ErrorKind::NotFound => format!(
            "\"{shown}\" does not exist; name a pattern file or a folder that holds .motif files"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("\"{shown}\" may not be read by this user; change its permissions (chmod +r)")
        }
        _ => format!("\"{shown}\" can't be read: {error}"),
    })
}

fn unusable(message: String) -> Error {
    Error::new(ErrorKind::Io, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        dir
    }

    fn names(dir: &Path, path: &Path) -> Vec<String> {
        let found = find(&[path.to_owned()]).expect("found");
        let name = |p: &PathBuf| p.strip_prefix(dir).expect("below").display().to_string();
        found.iter().map(name).collect()
    }

    #[test]
    fn folders_are_walked_in_the_order_of_paths() {
        let dir = tree(&[
            "b.motif",
            "a/z.motif",
            "a/x.txt",
            ".git/c.motif",
            "c/d/e.motif",
        ]);
        let expected = ["a/z.motif", "b.motif", "c/d/e.motif"];
        assert_eq!(names(dir.path(), dir.path()), expected);
        assert_eq!(names(dir.path(), &dir.path().join("...")), expected);
    }

    #[test]
    fn a_file_named_twice_is_read_once() {
        let dir = tree(&["a.motif"]);
        let found = find(&[dir.path().to_owned(), dir.path().join("a.motif")]).expect("found");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn messages_name_the_path_and_the_way_out() {
        let dir = tree(&["a/x.txt"]);
        let message =
            |path: &Path| format!("{:#}", find(&[path.to_owned()]).expect_err("an error"));
        assert!(message(&dir.path().join("nope")).contains("does not exist"));
        assert!(message(dir.path()).contains("holds no .motif file"));
        let error = text("x.motif", b"a\nb\xff".to_vec()).expect_err("not UTF-8");
        assert!(error.to_string().contains("line 2 (byte 3)"), "{error}");
    }
}
