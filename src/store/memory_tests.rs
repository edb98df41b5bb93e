//! The file of the memory store.

use tempfile::TempDir;

use super::*;
use crate::disk::SystemDisk;

fn file_of(entries: &[(&str, &str)]) -> Vec<u8> {
    let store = Memory::new(SystemDisk::shared());
    let mut batch = Batch::default();
    for (key, value) in entries {
        batch.put(key.as_bytes(), |out| {
            out.extend_from_slice(value.as_bytes())
        });
    }
    store.write(&batch).unwrap();
    let folder = TempDir::new().unwrap();
    let checkpoint = folder.path().join("c1");
    store.checkpoint(&checkpoint).unwrap();
    std::fs::read(checkpoint.join(FILE)).unwrap()
}

fn restored(bytes: &[u8]) -> Result<Memory, Error> {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(FILE), bytes).unwrap();
    Memory::restore(SystemDisk::shared(), folder.path())
}

/// The checksum that belongs to these bytes, behind them.
fn signed(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32fast::hash(bytes).to_le_bytes()].concat()
}

#[test]
fn the_file_is_these_bytes() {
    let file = file_of(&[("b", "xyz"), ("a", "")]);
    let wanted = [
        b'L', b'M', b'E', b'M', 1, 2, 1, b'a', 0, 1, b'b', 3, b'x', b'y', b'z', 0xfa, 0x42, 0x65,
        0x40,
    ];
    assert_eq!(file, wanted);
    assert_eq!(restored(&wanted).unwrap().bytes(), 5);
}

#[test]
fn every_damaged_byte_is_refused() {
    let file = file_of(&[("a", "1"), ("b", "2")]);
    assert!(restored(&file).is_ok());
    for at in 0..file.len() {
        let mut spoilt = file.clone();
        spoilt[at] ^= 0x20;
        assert!(restored(&spoilt).unwrap_err().is_damaged(), "byte {at}");
        assert!(
            restored(&file[..at]).unwrap_err().is_damaged(),
            "cut to {at}"
        );
    }
}

#[test]
fn what_cannot_have_been_written_is_refused_though_its_checksum_is_right() {
    for (body, how) in [
        (&b"LMEM\x01\x02\x01b\x00\x01a\x00"[..], "key after the last"),
        (b"LMEM\x01\x02\x01a\x00\x01a\x00", "key after the last"),
        (b"LMEM\x01\x01\x01a\x00\x00", "no end"),
        (b"LMEM\x01\xff\xff\xff\xff\x0f", "count of things"),
        (b"LMEM\x01\x01\x09a\x00", "count of things"),
        (b"XMEM\x01\x00", "it is no store"),
        (b"LMEM", "no byte"),
    ] {
        let error = restored(&signed(body)).unwrap_err();
        assert!(
            error.is_damaged() && error.to_string().contains(how),
            "{error}"
        );
    }
    let error = restored(&signed(b"LMEM\x02")).unwrap_err();
    assert!(!error.is_damaged(), "{error}");
    assert!(
        error.to_string().ends_with(
            "is of version 2, and this build reads version 1; use the build that wrote it"
        ),
        "{error}"
    );
}

#[test]
fn a_file_longer_than_a_part_is_whole() {
    let entries: Vec<_> = (0..3)
        .map(|n| (format!("{n}"), "x".repeat(PART_BYTES - 1 + n)))
        .collect();
    let entries: Vec<_> = entries
        .iter()
        .map(|(key, value)| (&key[..], &value[..]))
        .collect();
    let file = file_of(&entries);
    assert_eq!(
        restored(&file).unwrap().get_all(&[b"2"]).unwrap()[0]
            .as_ref()
            .map(Vec::len),
        Some(PART_BYTES + 1)
    );
}
