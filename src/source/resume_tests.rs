//! A source that is opened anew and goes on where another one was left gives out what that one would have.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::event::formats::Format;

/// Partition, offset, bytes, heads its file.
type Seen = (u32, u64, Vec<u8>, bool);

/// Opens a source anew, which goes on at these positions.
type Open<'a, S> = dyn Fn(&[(u32, SourcePosition)]) -> S + 'a;

/// Opens a source and reads it to its end; after each of so many polls it is dropped, and one that is opened anew goes on.
fn read<S: Source>(open: &Open<'_, S>, polls: &[usize]) -> Vec<Seen> {
    let (mut seen, mut polls) = (Vec::new(), polls.iter());
    let mut positions = Vec::new();
    loop {
        let mut source = open(&positions);
        let mut left = polls.next().copied().unwrap_or(usize::MAX);
        while left > 0 {
            let polled = source.poll(&mut |record| {
                let one = (
                    record.partition,
                    record.offset,
                    record.bytes.to_vec(),
                    record.heads_file,
                );
                // The header comes once more.
                match positions.first() {
                    Some((_, position)) if record.heads_file && record.offset < position.offset => {
                        assert!(seen.contains(&one), "{one:?}");
                    }
                    _ => seen.push(one),
                }
            });
            if polled.expect("can be read") == Polled::End {
                return seen;
            }
            left -= 1;
        }
        positions = source.positions().expect("can be read again");
    }
}

fn packed(text: &str, packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => text.as_bytes().to_vec(),
        Packing::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Zstd => zstd::encode_all(text.as_bytes(), 1).unwrap(),
    }
}

fn open_file(
    path: &Path,
    format: Format,
    packing: Packing,
    block: usize,
    positions: &[(u32, SourcePosition)],
) -> File {
    let mut file = File::open(path, format, packing, Follow::No).expect("is there");
    file.seek(positions).expect("goes on");
    file.shrink(block);
    file
}

fn open_folder(
    path: &Path,
    format: Format,
    block: usize,
    positions: &[(u32, SourcePosition)],
) -> Folder {
    let mut folder = Folder::open(path, format, Follow::No).expect("is there");
    folder.seek(positions).expect("goes on");
    folder.shrink(block);
    folder
}

const PACKINGS: [(Packing, &str); 3] = [
    (Packing::Plain, ""),
    (Packing::Gzip, ".gz"),
    (Packing::Zstd, ".zst"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn files_go_on(text in "\u{feff}?[ab\"\r\n,]{0,60}", block in 1_usize..20, csv: bool, polls in prop::collection::vec(0_usize..12, 0..6)) {
        let format = if csv { Format::Csv } else { Format::Json };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for (packing, _) in PACKINGS {
            fs::write(&path, packed(&text, packing)).unwrap();
            let open = |positions: &[_]| open_file(&path, format, packing, block, positions);
            let whole = read(&open, &[]);
            prop_assert_eq!(read(&open, &polls), whole, "{:?}", packing);
        }
    }

    #[test]
    fn folders_go_on(texts in prop::collection::vec(("\u{feff}?[ab\"\r\n,]{0,30}", 0_usize..3), 1..5), block in 1_usize..20, csv: bool, polls in prop::collection::vec(0_usize..12, 0..8)) {
        let (format, ending) = if csv { (Format::Csv, "csv") } else { (Format::Json, "ndjson") };
        let folder = tempfile::tempdir().unwrap();
        for (at, (text, packing)) in texts.iter().enumerate() {
            let (packing, packed_ending) = PACKINGS[*packing];
            let name = format!("{at}.{ending}{packed_ending}");
            fs::write(folder.path().join(name), packed(text, packing)).unwrap();
        }
        let open = |positions: &[_]| open_folder(folder.path(), format, block, positions);
        let whole = read(&open, &[]);
        prop_assert_eq!(read(&open, &polls), whole);
    }
}

#[test]
fn a_large_file_goes_on_between_its_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "n,what\r\n".to_owned();
    for n in 0..60_000 {
        text.push_str(&format!("{n},\"some\nthing {n}\"\n"));
    }
    for (packing, ending) in PACKINGS {
        let path = folder.path().join(format!("a.csv{ending}"));
        fs::write(&path, packed(&text, packing)).unwrap();
        let open = |positions: &[(u32, SourcePosition)]| {
            let mut file = File::open(&path, Format::Csv, packing, Follow::No).unwrap();
            file.seek(positions).unwrap();
            file
        };
        let whole = read(&open, &[]);
        assert_eq!(whole.len(), 60_001);
        assert_eq!(whole[60_000].1, 2 * 60_000);
        assert!(read(&open, &[1, 1, 0, 2, 1]) == whole, "{packing:?}");
    }
}

/// Opens a workload for so many readers and reads all to their end; after each of so many polls they are dropped, and others go on, as many as are said with it.
fn read_generated(text: &str, polls: &[(usize, usize)]) -> Vec<Seen> {
    let Place::Generate(workload) = SourceSpec::parse(&format!("generate:{text}"))
        .unwrap()
        .place
    else {
        panic!("{text}");
    };
    let (mut seen, mut polls) = (Vec::new(), polls.iter());
    let mut positions = Vec::new();
    loop {
        let (mut left, readers) = polls.next().copied().unwrap_or((usize::MAX, 1));
        let mut readers = Generator::readers(&workload, readers);
        for reader in &mut readers {
            reader.seek(&positions).expect("goes on");
        }
        let mut ended = false;
        while left > 0 && !ended {
            let polled: Vec<Polled> = readers
                .iter_mut()
                .map(|reader| {
                    reader
                        .poll(&mut |record| {
                            seen.push((
                                record.partition,
                                record.offset,
                                record.bytes.to_vec(),
                                record.heads_file,
                            ));
                        })
                        .expect("never fails")
                })
                .collect();
            ended = polled.iter().all(|polled| *polled == Polled::End);
            left -= 1;
        }
        if ended {
            // Readers take turns, partitions have an order.
            seen.sort_by_key(|(partition, offset, ..)| (*partition, *offset));
            return seen;
        }
        positions = readers
            .iter()
            .flat_map(|reader| reader.positions().expect("can be made again"))
            .collect();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn made_up_events_go_on(kind in "cards|sensors|stock", events in 0_u64..5_000, partitions in 1_u32..5, disorder in prop::option::of(1_u64..3_000), polls in prop::collection::vec((0_usize..6, 1_usize..4), 0..6)) {
        let disorder = disorder.map_or(String::new(), |ms| format!("&disorder={ms}ms"));
        let text = format!("{kind}?events={events}&partitions={partitions}{disorder}");
        let whole = read_generated(&text, &[]);
        prop_assert_eq!(whole.len() as u64, events);
        prop_assert!(read_generated(&text, &polls) == whole, "{}", text);
    }
}
