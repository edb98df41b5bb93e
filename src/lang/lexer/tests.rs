use super::*;
use crate::lang::parser::TOKENS_MAX;

/// The tokens of `text` as it writes them, then the codes of its mistakes.
fn check(text: &str, tokens: &[(Tok, &str)], codes: &[&str]) {
    let lexed = lex(FileId(0), text, TOKENS_MAX);
    let found: Vec<(Tok, &str)> = lexed.tokens.iter().map(|t| (t.tok, t.text(text))).collect();
    assert_eq!(found, tokens, "{text}");
    let found: Vec<&str> = lexed.diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(found, codes, "{text}");
}

#[test]
fn longest_sign_wins() {
    let signs = "== = != <= < >= > ?? ? | @ . : , + - * / %";
    let lexed = lex(FileId(0), signs, TOKENS_MAX);
    let written: Vec<&str> = lexed
        .tokens
        .iter()
        .filter_map(|t| t.tok.written())
        .collect();
    assert_eq!(written.join(" "), signs);
    check(
        "a<=b??c",
        &[
            (Tok::Word, "a"),
            (Tok::LessEqual, "<="),
            (Tok::Word, "b"),
            (Tok::Coalesce, "??"),
            (Tok::Word, "c"),
        ],
        &[],
    );
}

#[test]
fn keywords_are_whole_words() {
    check(
        "then then_ thenx Then",
        &[
            (Tok::Then, "then"),
            (Tok::Word, "then_"),
            (Tok::Word, "thenx"),
            (Tok::Word, "Then"),
        ],
        &[],
    );
}

#[test]
fn numbers_keep_their_digits_and_leave_the_dot_of_a_field() {
    check(
        "12 1.50 1.x",
        &[
            (Tok::Int(12), "12"),
            (Tok::Number, "1.50"),
            (Tok::Int(1), "1"),
            (Tok::Dot, "."),
            (Tok::Word, "x"),
        ],
        &[],
    );
    check(
        "9223372036854775807",
        &[(Tok::Int(i64::MAX), "9223372036854775807")],
        &[],
    );
    check(
        "9223372036854775808",
        &[(Tok::Int(0), "9223372036854775808")],
        &["E004"],
    );
}

#[test]
fn durations_combine_from_large_to_small() {
    check(
        "1h30m 250ms 7d 0s",
        &[
            (Tok::Duration(5_400_000), "1h30m"),
            (Tok::Duration(250), "250ms"),
            (Tok::Duration(604_800_000), "7d"),
            (Tok::Duration(0), "0s"),
        ],
        &[],
    );
    for text in ["30m1h", "1m1m", "1ms1s"] {
        check(text, &[(Tok::Duration(0), text)], &["E010"]);
    }
    check(
        "99999999999999d",
        &[(Tok::Duration(0), "99999999999999d")],
        &["E004"],
    );
}

#[test]
fn an_unknown_unit_is_one_bad_token() {
    for text in ["5min", "1h30", "3w", "5M", "2h5x"] {
        check(text, &[(Tok::Duration(0), text)], &["E003"]);
    }
}

#[test]
fn malformed_numbers_are_one_bad_token() {
    for text in ["1e5", "0x1f", "1_000", "1.5h", "1.5e3"] {
        let lexed = lex(FileId(0), text, TOKENS_MAX);
        assert_eq!(
            (lexed.tokens.len(), lexed.diagnostics.len()),
            (1, 1),
            "{text}"
        );
        assert_eq!(lexed.diagnostics[0].code.0, "E006", "{text}");
    }
}

#[test]
fn texts_end_on_their_line() {
    check(
        "\"a\\\"b\" x",
        &[(Tok::Text, "\"a\\\"b\""), (Tok::Word, "x")],
        &[],
    );
    check(
        "\"ab\nx",
        &[(Tok::Text, "\"ab"), (Tok::Word, "x")],
        &["E002"],
    );
    check("\"ab\\", &[(Tok::Text, "\"ab\\")], &["E002"]);
    check(
        "'ab' x",
        &[(Tok::Text, "'ab'"), (Tok::Word, "x")],
        &["E007"],
    );
}

#[test]
fn escapes_stand_for_characters() {
    let read = |inner: &str| {
        let mut faults = 0;
        let text = unescape(inner, |_, _| faults += 1);
        (text, faults)
    };
    assert_eq!(read(r#"a\"\\\n\t\u{20ac}"#), ("a\"\\\n\t€".to_owned(), 0));
    for bad in [r"\d", r"\u{}", r"\u{d800}", r"\u{+1}", r"\u20"] {
        assert_eq!(read(bad), (bad.to_owned(), 1));
    }
}

#[test]
fn comments_are_collected_without_their_sign() {
    let lexed = lex(FileId(0), "# a  \r\nx #b\n#", TOKENS_MAX);
    let texts: Vec<&str> = lexed.comments.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(texts, [" a", "b", ""]);
}

#[test]
fn unknown_characters_are_reported_once_per_run() {
    check("a €€€ b", &[(Tok::Word, "a"), (Tok::Word, "b")], &["E001"]);
    check("größe", &[(Tok::Word, "größe")], &["E001"]);
    check("\u{feff}a", &[(Tok::Word, "a")], &[]);
}
