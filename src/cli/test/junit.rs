//! Test results as JUnit XML, which build servers show.

use std::fmt::Write as _;
use std::time::Duration;

/// One test's result.
#[derive(Clone, Debug)]
pub struct Case {
    /// The pattern file.
    pub file: String,
    /// Line of the test in it.
    pub line: usize,
    /// The test's name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// What differed; `None` when it passed.
    pub failure: Option<String>,
}

/// The document: a suite per pattern file. `cases` of one file stand together.
pub fn document(cases: &[Case]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites name=\"leitmotif\" {}>", counts(cases));
    for suite in cases.chunk_by(|a, b| a.file == b.file) {
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {}>",
            escaped(&suite[0].file),
            counts(suite)
        );
        for case in suite {
            let _ = write!(
                out,
                "    <testcase classname=\"{0}\" name=\"{1}\" file=\"{0}\" line=\"{2}\" time=\"{3:.6}\"",
                escaped(&case.file),
                escaped(&case.name),
                case.line,
                case.took.as_secs_f64(),
            );
            let _ = match &case.failure {
                None => writeln!(out, "/>"),
                Some(text) => writeln!(
                    out,
                    ">\n      <failure message=\"rows differ\">{}</failure>\n    </testcase>",
                    escaped(text)
                ),
            };
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts(cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let took: Duration = cases.iter().map(|case| case.took).sum();
    format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{:.6}\"",
        cases.len(),
        took.as_secs_f64()
    )
}

/// Text for XML 1.0, which can't hold most control characters at all.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_failures_are_escaped() {
        let case = |name: &str, failure: Option<&str>| Case {
            file: "a.motif".into(),
            line: 3,
            name: name.into(),
            took: Duration::from_millis(2),
            failure: failure.map(str::to_owned),
        };
        let xml = document(&[case("a < \"b\"", None), case("c", Some("x\u{1b} & y"))]);
        assert!(xml.contains("name=\"a &lt; &quot;b&quot;\""), "{xml}");
        assert!(xml.contains("x\u{fffd} &amp; y"), "{xml}");
        assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
    }
}
