use super::*;
use crate::lang::ast::Item;

/// Codes with the text they point at.
fn mistakes(text: &str) -> Vec<(String, &str)> {
    let (_, found) = parse(FileId(0), text);
    found
        .iter()
        .map(|d| {
            let span = d.primary.span;
            let place = &text[span.start as usize..span.end as usize];
            (d.code.0.to_owned(), place)
        })
        .collect()
}

fn check(text: &str, expected: &[(&str, &str)]) {
    let found = mistakes(text);
    let found: Vec<(&str, &str)> = found.iter().map(|(c, p)| (c.as_str(), *p)).collect();
    assert_eq!(found, expected, "{text}");
}

fn items(text: &str) -> Vec<Item> {
    let (file, found) = parse(FileId(0), text);
    assert_eq!(found, vec![], "{text}");
    file.items
}

const EVERYTHING: &str = r#"
event Txn { at: timestamp time, card: string, amount: decimal, key: int?, timeout: int, from: string }
param limit: decimal = 5.00
table Known { card: string, note: string from "a.b" } key card
fn twice(a: int, b: decimal): int = a * 2 + b
@severity("high")
pattern everything {
  from Txn, Beat
  key card, k = A.x | B.match
  match probe: Txn where amount < limit and timeout > 5
   then any after 5s within 10m drain: Txn+? consecutive where merchant != probe.merchant and not a in [1, 2] until Txn where x
   then not Txn where true for 5m
   next last: (a: A{3,} | b: B{2}? gap 30m) {1,2}
   then all(a: X, b: Y)
   then A??
  within 10m
  having count(probe) > 3 or first(drain.key) not in Known[card].match
  skip to last
  limit 5 per 1h by card, -x.y
  bound 100 evict oldest
  emit each { card, spent: drain.amount, waited: drain.at - probe.at ?? 5 }
  emit each fraud { then, where: where, not: not true, }
  timeout watchlist { card, probe: probe.amount }
}
test "probe then drain fires once" {
  given {
    0s  Txn { card: "c1", amount: 1.00 }
    30s Txn { card: "c1", amount: 900.00 }
  }
  expect { 30s fraud { card: "c1", spent: 900.00, waited: 30s } }
}
"#;

#[test]
fn everything_the_grammar_has_is_read() {
    let items = items(EVERYTHING);
    assert_eq!(items.len(), 6);
    let Item::Pattern(pattern) = &items[4] else {
        panic!("the fifth is the pattern");
    };
    assert_eq!(pattern.sequence.rest.len(), 5);
    assert_eq!(pattern.outputs.len(), 3);
}

#[test]
fn every_keyword_names_a_field() {
    for (tok, word) in Tok::KINDS {
        if tok.is_keyword() {
            items(&format!(
                "event E {{ at: timestamp time, {word}: {word} }}
                 pattern p {{ key {word}, k = E.{word} match a: E where a.{word} > 1 emit x {{ {word}, {word}: a.{word} }} }}"
            ));
        }
    }
}

#[test]
fn words_that_stand_around_no_step_name_variables_and_outputs() {
    for word in [
        "last", "key", "from", "event", "each", "gap", "to", "time", "test", "past", "by",
    ] {
        items(&format!(
            "event {word} {{ at: timestamp time }}
             pattern p {{ from {word} unkeyed match {word}: {word}+ then b: {word} skip to last {word} emit {word} {{ x: {word}.at }} }}"
        ));
        items(&format!(
            "pattern p {{ unkeyed match {word}: A skip to {word} emit each {word} {{}} timeout {word} {{}} }}"
        ));
    }
}

#[test]
fn clause_keywords_name_bare_fields_in_conditions() {
    for word in [
        "within", "then", "timeout", "emit", "limit", "match", "where", "skip", "any", "key",
    ] {
        items(&format!(
            "pattern p {{ unkeyed match a: A where {word} > 5 and {word} < 9 then b: B where x == {word} within 5m emit x {{}} }}"
        ));
    }
}

fn parsed(text: &str) -> String {
    let text = format!("param p: int = {text}");
    let items = items(&text);
    let Item::Param(param) = &items[0] else {
        panic!("a param");
    };
    shape(&param.value)
}

/// With all parentheses.
fn shape(expr: &ast::Expr) -> String {
    use ast::ExprKind as E;
    match &expr.kind {
        E::Int(n) => n.to_string(),
        E::Name(n) => n.clone(),
        E::Field(of, n) => format!("({}.{})", shape(of), n.name),
        E::Index(of, at) => format!("({}[{}])", shape(of), shape(at)),
        E::Unary(op, a) => format!("({op:?} {})", shape(a)),
        E::Binary(op, a, b) => format!("({} {op:?} {})", shape(a), shape(b)),
        other => format!("{other:?}"),
    }
}

#[test]
fn operators_bind_as_documented() {
    assert_eq!(
        parsed("a or b and not c == d"),
        "(a Or (b And (Not (c Eq d))))"
    );
    assert_eq!(
        parsed("a < b ?? c + d * -e.f"),
        "(a Lt (b Coalesce (c Add (d Mul (Neg (e.f))))))"
    );
    assert_eq!(parsed("a - b - c"), "((a Sub b) Sub c)");
    assert_eq!(parsed("(a - b) - c"), parsed("a - b - c"));
    assert_eq!(parsed("a - (b - c)"), "(a Sub (b Sub c))");
    assert_eq!(parsed("not a not in b"), "(Not (a NotIn b))");
    assert_eq!(parsed("t[a + 1].f * 2"), "(((t[(a Add 1)]).f) Mul 2)");
}

#[test]
fn one_run_reports_the_mistakes_of_every_declaration_and_clause() {
    check(
        "event E { at timestamp time, x: }
         pattern p { key k match a: A within 5 limit x per 1h emit o { a b } }
         fn f(a: int) = a
         pattern q { key k match a: A where > 5 then b: B where < 6 emit { x } }",
        &[
            ("E011", "timestamp"),
            ("E011", ":"),
            ("E029", "5"),
            ("E011", "x"),
            ("E030", "b"),
            ("E011", "="),
            ("E011", ">"),
            ("E011", "<"),
            ("E011", "{"),
        ][..],
    );
}

#[test]
fn a_missing_brace_spoils_no_other_declaration() {
    let text = "pattern p {\n  key k\n  match a: A\n  emit x { k }\n\nevent E { at: timestamp time }\nparam n: int = 5\n";
    check(text, &[("E012", "{")]);
    assert_eq!(parse(FileId(0), text).0.items.len(), 3);
}

#[test]
fn a_pattern_with_a_mended_clause_stays_in_the_tree() {
    let (file, found) = parse(
        FileId(0),
        "pattern p { key k match a: A where x = 5 emit o { k } }",
    );
    assert_eq!((file.items.len(), found.len()), (1, 1));
}

#[test]
fn what_the_lexer_told_is_not_told_again() {
    check("param x: int = €", &[("E001", "€")]);
    check(
        "pattern p { key k; match a: A; emit o { k; } }",
        &[("E008", ";"); 3],
    );
}

#[test]
fn words_of_other_languages_are_recognised() {
    check(
        "pattern p { key k match a: A and then b: B -> c: C followed by d: D emit o { k } }",
        &[
            ("E021", "and then"),
            ("E021", "->"),
            ("E021", "followed by"),
        ],
    );
    check(
        "pattern p { key k match a: A order by x emit o { k } }",
        &[("E015", "order")],
    );
    check("rule p { key k }", &[("E014", "rule")]);
}

#[test]
fn an_empty_pattern_lacks_three_clauses() {
    check(
        "pattern p { }",
        &[("E018", "p"), ("E019", "p"), ("E020", "p")],
    );
}

#[test]
fn a_file_over_the_limit_is_refused_unread() {
    let text = " ".repeat(FILE_BYTES_MAX + 1);
    check(&text, &[("E040", "")]);
}

#[test]
fn words_over_the_limit_are_reported_once() {
    let text = "x ".repeat(TOKENS_MAX + 10);
    let codes: Vec<String> = mistakes(&text).into_iter().map(|(code, _)| code).collect();
    assert!(codes.contains(&"E043".to_owned()), "{codes:?}");
    assert!(codes.len() < 5);
}

#[test]
fn a_hundred_mistakes_are_enough() {
    let (_, found) = parse(FileId(0), &"€ ".repeat(5_000));
    assert_eq!(found.len(), DIAGNOSTICS_MAX + 1);
    assert_eq!(found[DIAGNOSTICS_MAX].code.0, "E044");
    let (_, found) = parse(FileId(0), &"param x: = 1\n".repeat(5_000));
    assert_eq!(found.len(), DIAGNOSTICS_MAX + 1);
}

#[test]
fn endless_chains_neither_overflow_nor_stall() {
    let n = 300_000;
    let long = |unit: &str, last: &str| format!("param x: bool = {}{last}", unit.repeat(n));
    for text in [
        long("not ", "a"),
        long("- ", "a"),
        long("a + ", "a"),
        long("a or ", "b"),
    ] {
        let (file, found) = parse(FileId(0), &text);
        assert_eq!(found.iter().map(|d| d.code.0).collect::<Vec<_>>(), ["E042"]);
        drop(file);
    }
    let path = format!("param x: int = a{}", ".b".repeat(n));
    check(&path, &[("E042", &long_path(201))]);
    for open in ["(", "[", "f(", "a["] {
        let (_, found) = parse(FileId(0), &long(open, "a"));
        assert_eq!(found[0].code.0, "E041", "{open}");
    }
    let groups = format!(
        "pattern p {{ unkeyed match {}A{} emit x {{}} }}",
        "(".repeat(n),
        ")".repeat(n)
    );
    assert_eq!(parse(FileId(0), &groups).1[0].code.0, "E041");
}

fn long_path(levels: usize) -> String {
    format!("a{}", ".b".repeat(levels - 1))
}
