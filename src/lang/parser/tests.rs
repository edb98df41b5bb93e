use super::*;

fn dump(text: &str) -> String {
    let (_, diagnostics) = parse(FileId(0), text);
    let mut out = String::new();
    for d in diagnostics {
        let span = d.primary.span;
        let place = &text[span.start as usize..span.end as usize];
        let line = text[..span.start as usize].matches('\n').count() + 1;
        let place: String = place.chars().take(60).collect();
        out += &format!(
            "{}:{line}: {} [{place:?} {}]\n",
            d.code.0, d.message, d.primary.text
        );
        for help in d.help {
            out += &format!("    = {help}\n");
        }
    }
    out
}

#[test]
fn golden_dump() {
    let mut files: Vec<_> = std::fs::read_dir("tests/golden/diagnostics")
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        println!(
            "=== {}\n{text}---\n{}",
            file.file_name().unwrap().to_string_lossy(),
            dump(&text)
        );
    }
}
