//! Inputs that fuzzing once found to be of interest stay solved: each is given to its target again.
//!
//! What a target checks is in `testing::fuzz`; `cargo fuzz run TARGET` looks for more.

use std::path::Path;

use leitmotif::testing::fuzz;

/// Gives every input of a target's corpus to it; how many there were.
fn replay(target: &str, run: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        println!("{}", path.display());
        run(&std::fs::read(&path).expect("the input can be read"));
        count += 1;
    }
    count
}

#[test]
fn every_target_passes_its_corpus() {
    for (target, run) in [
        ("parse", fuzz::parse as fn(&[u8])),
        ("roundtrip", fuzz::roundtrip),
        ("compile", fuzz::compile),
        ("matcher_vs_reference", fuzz::matcher_vs_reference),
        ("json", fuzz::json),
        ("state", fuzz::state),
        #[cfg(all(feature = "avro", feature = "protobuf"))]
        ("avro", fuzz::avro),
        #[cfg(all(feature = "avro", feature = "protobuf"))]
        ("protobuf", fuzz::protobuf),
    ] {
        assert!(replay(target, run) > 0, "the corpus of {target} is empty");
    }
}
