use super::super::ast::{BinaryOp, Expr, ExprKind, Item, ParamDecl, TypeRef, UnaryOp};
use super::super::parser::parse;
use super::super::span::Span;
use super::super::tree_eq::erase_places;
use super::*;

/// Prints `text`; the tree and the second print must not differ.
fn printed(text: &str) -> String {
    let (file, found) = parse(FileId(0), text);
    assert_eq!(found, vec![], "{text}");
    let once = print(&file, text);
    let (again, found) = parse(FileId(0), &once);
    assert_eq!(found, vec![], "{once}");
    assert_eq!(
        file.comments.iter().map(|c| &c.text).collect::<Vec<_>>(),
        again.comments.iter().map(|c| &c.text).collect::<Vec<_>>(),
        "{once}"
    );
    let twice = print(&again, &once);
    assert_eq!(erase_places(file), erase_places(again), "{once}");
    assert_eq!(once, twice);
    once
}

fn check(text: &str, expected: &str) {
    assert_eq!(printed(text), expected);
    assert_eq!(printed(expected), expected);
}

const SAMPLE: &str = r#"event Txn { at: timestamp time, card: string, amount: decimal, merchant: string, status: string }

param probe_max: decimal = 5.00

@severity("high")
pattern probe_then_drain {
  key card
  match probe: Txn where amount < probe_max
   then drain: Txn where amount > 500 and merchant != probe.merchant
  within 10m
  emit fraud { card, spent: drain.amount, waited: drain.at - probe.at }
  timeout watchlist { card, probe: probe.amount }
}

test "probe then drain fires once" {
  given {
    0s  Txn { card: "c1", amount: 1.00, merchant: "m1", status: "ok" }
    30s Txn { card: "c1", amount: 900.00, merchant: "m2", status: "ok" }
  }
  expect { 30s fraud { card: "c1", spent: 900.00, waited: 30s } }
}
"#;

#[test]
fn the_sample_is_printed_as_it_stands() {
    check(SAMPLE, SAMPLE);
    let squeezed: Vec<&str> = SAMPLE.split_whitespace().collect();
    check(&squeezed.join(" ").replace("} param", "}\n\nparam"), SAMPLE);
}

#[test]
fn comments_stay_where_they_are() {
    let text = r#"# what this file is about

# a transaction
event Txn { # not so short
  # when
  at: timestamp time,
  card: string, # who

  # how much
  amount: decimal # in EUR
  # the end
}

# the pattern
pattern p { # opens
  # the key
  key card # its comment

  match a: Txn # first
   # and then
   then b: Txn where amount > 1 # second
  within 10m # long enough
  emit hit { card } # out
  # nothing more
}
# below

# far below
"#;
    let shown = printed(text);
    for line in text.lines().filter(|line| line.contains('#')) {
        let comment = &line[line.find('#').unwrap()..];
        let before = line[..line.len() - comment.len()].trim();
        let kept = shown.lines().find(|l| l.ends_with(comment)).expect(comment);
        assert_eq!(
            kept.is_empty() || kept.trim_start().starts_with('#'),
            before.is_empty(),
            "{shown}"
        );
    }
    check(&shown, &shown);
}

#[test]
fn comments_in_odd_places_are_kept() {
    printed(
        "# a\nevent # b\nE # c\n{ # d\nat # e\n: # f\ntimestamp # g\ntime # h\n, # i\n} # j\nparam # k\nx # l\n: int = ( # m\n1 # n\n+ # o\n2 ) # p\n* 3 # q",
    );
    printed(
        "pattern p { unkeyed match # a\n( # b\n a: A # c\n | # d\n b: B # e\n) # f\n{ # g\n 2 # h\n } # i\n then # j\n any # k\n C # l\n where # m\n x # n\n . # o\n y # p\n in # q\n [ # r\n 1 # s\n , # t\n 2 # u\n ] # v\n emit # w\n o # x\n { # y\n } # z\n }",
    );
    printed(
        "test \"t\" { given { # a\n } # b\n expect # c\n { # d\n 5s # e\n X # f\n { # g\n } # h\n } # i\n }",
    );
}

#[test]
fn single_empty_lines_stay_and_more_become_one() {
    check(
        "param a: int = 1\nparam b: int = 2\n\n\n\nparam c: int = 3",
        "param a: int = 1\nparam b: int = 2\n\nparam c: int = 3\n",
    );
    check(
        "pattern p {\n\n key k\n\n match a: A\n\n\n emit o { k }\n\n}\npattern q { unkeyed match a: A emit o {} }",
        "pattern p {\n  key k\n\n  match a: A\n\n  emit o { k }\n}\n\npattern q {\n  unkeyed\n  match a: A\n  emit o {}\n}\n",
    );
}

#[test]
fn long_records_and_conditions_are_broken() {
    let long = "pattern p { key k match a: Transaction where amount > 1000 and merchant != \"somebody\" and (country == \"NL\" or country == \"DE\") emit o { first_field: a.amount + 1, second_field: a.amount + 2, third_field_of_three: a.amount + 3 } }";
    check(
        long,
        r#"pattern p {
  key k
  match a: Transaction where amount > 1000
          and merchant != "somebody"
          and (country == "NL" or country == "DE")
  emit o {
    first_field: a.amount + 1,
    second_field: a.amount + 2,
    third_field_of_three: a.amount + 3,
  }
}
"#,
    );
}

#[test]
fn what_was_written_in_its_own_way_stays() {
    let text =
        "param a: duration = 90m\nparam b: string = \"\\u{20ac}\"\nparam c: decimal = 1.50\n";
    check(text, text);
}

#[test]
fn only_needed_parentheses_stay() {
    for (text, expected) in [
        ("((a))", "a"),
        ("(a and b) or (c and d)", "a and b or c and d"),
        ("a and (b or c)", "a and (b or c)"),
        ("(a - b) - c", "a - b - c"),
        ("a - (b - c)", "a - (b - c)"),
        ("(a == b) == c", "(a == b) == c"),
        ("not (a and b)", "not (a and b)"),
        ("not (a == b)", "not a == b"),
        ("(not a) == b", "(not a) == b"),
        ("-(-a)", "-(-a)"),
        ("-(a * b)", "-(a * b)"),
        ("(-a) * b", "-a * b"),
        ("(-a).b", "(-a).b"),
        ("(a ?? b).c", "(a ?? b).c"),
        ("(5).x", "(5).x"),
    ] {
        check(
            &format!("param p: int = {text}"),
            &format!("param p: int = {expected}\n"),
        );
    }
}

#[test]
fn a_tree_without_its_text_is_printed() {
    let (file, _) = parse(FileId(0), SAMPLE);
    let blind = File {
        items: file.items,
        comments: Vec::new(),
    };
    assert_eq!(print(&blind, ""), SAMPLE.replace("}\n\nparam", "}\nparam"));
}

fn motif_files(folder: &std::path::Path, out: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            motif_files(&path, out);
        } else if path.extension().is_some_and(|end| end == "motif") {
            out.push(path);
        }
    }
}

#[test]
fn the_patterns_of_the_house_are_read_back_as_printed() {
    let mut files = Vec::new();
    motif_files(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns"),
        &mut files,
    );
    assert!(!files.is_empty());
    for file in files {
        printed(&std::fs::read_to_string(file).expect("a pattern file"));
    }
}

// Random expressions: the tree itself is random, so that every shape of parentheses is met.

use proptest::prelude::*;

fn expr(kind: ExprKind) -> Expr {
    Expr {
        kind,
        span: Span::default(),
    }
}

fn ident(name: String) -> Ident {
    Ident {
        name,
        span: Span::default(),
    }
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let word = prop::sample::select(vec!["a", "then", "within", "key", "last", "x1", "emit"]);
    let leaf = prop_oneof![
        Just(ExprKind::Null),
        any::<bool>().prop_map(ExprKind::Bool),
        (0..i64::MAX).prop_map(ExprKind::Int),
        "[0-9]{1,4}\\.[0-9]{1,4}".prop_map(ExprKind::Number),
        any::<String>().prop_map(ExprKind::Text),
        (0..i64::MAX).prop_map(|ms| ExprKind::Duration(time::Span(ms))),
        word.clone().prop_map(|w| ExprKind::Name(w.to_owned())),
    ]
    .prop_map(expr);
    let field = prop::sample::select(vec!["f", "not", "true", "then", "where"]);
    let binary = prop::sample::select(vec![
        BinaryOp::Or,
        BinaryOp::And,
        BinaryOp::Eq,
        BinaryOp::Ne,
        BinaryOp::Lt,
        BinaryOp::Le,
        BinaryOp::Gt,
        BinaryOp::Ge,
        BinaryOp::In,
        BinaryOp::NotIn,
        BinaryOp::Coalesce,
        BinaryOp::Add,
        BinaryOp::Sub,
        BinaryOp::Mul,
        BinaryOp::Div,
        BinaryOp::Rem,
    ]);
    leaf.prop_recursive(6, 60, 3, move |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let some = prop::collection::vec(inner, 0..3);
        prop_oneof![
            4 => (binary.clone(), boxed.clone(), boxed.clone()).prop_map(|(op, a, b)| expr(ExprKind::Binary(op, a, b))),
            1 => boxed.clone().prop_map(|a| expr(ExprKind::Unary(UnaryOp::Neg, a))),
            1 => boxed.clone().prop_map(|a| expr(ExprKind::Unary(UnaryOp::Not, a))),
            1 => (boxed.clone(), field.clone()).prop_map(|(a, f)| expr(ExprKind::Field(a, ident(f.to_owned())))),
            1 => (boxed.clone(), boxed).prop_map(|(a, b)| expr(ExprKind::Index(a, b))),
            1 => (word.clone(), some.clone()).prop_map(|(f, args)| expr(ExprKind::Call(ident(f.to_owned()), args))),
            1 => some.prop_map(|items| expr(ExprKind::List(items))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_is_read_back_as_it_was_printed(value in any_expr()) {
        let ty = TypeRef { name: ident("int".to_owned()), unit: None, optional: false, span: Span::default() };
        let param = ParamDecl { name: ident("p".to_owned()), ty, value, span: Span::default() };
        let file = File { items: vec![Item::Param(param)], comments: Vec::new() };
        let text = print(&file, "");
        let (read, found) = parse(FileId(0), &text);
        prop_assert_eq!(found, vec![], "{}", text);
        prop_assert_eq!(erase_places(file), erase_places(read), "{}", text);
    }

    #[test]
    fn any_soup_of_tokens_is_read_without_a_panic(words in prop::collection::vec(0..Tok::KINDS.len(), 0..80), breaks in any::<u64>()) {
        let mut text = String::new();
        for (at, kind) in words.iter().enumerate() {
            text.push_str(match Tok::KINDS[*kind].0 {
                Tok::Word => "x",
                Tok::Int(_) => "3",
                Tok::Number => "1.5",
                Tok::Duration(_) => "5m",
                Tok::Text => "\"t\"",
                _ => Tok::KINDS[*kind].1,
            });
            text.push(if breaks >> (at % 64) & 1 == 1 { '\n' } else { ' ' });
        }
        let (file, found) = parse(FileId(0), &text);
        let shown = print(&file, &text);
        if found.is_empty() {
            let (again, found) = parse(FileId(0), &shown);
            prop_assert_eq!(found, vec![], "{}", shown);
            prop_assert_eq!(erase_places(file), erase_places(again));
        }
    }

    #[test]
    fn any_damage_to_a_pattern_is_reported_without_a_panic(cut in 0..SAMPLE.len(), length in 0..40_usize, put in "[ -~]{0,6}") {
        let end = (cut + length).min(SAMPLE.len());
        let text = format!("{}{put}{}", &SAMPLE[..cut], &SAMPLE[end..]);
        let (file, found) = parse(FileId(0), &text);
        for d in &found {
            prop_assert!(text.get(d.primary.span.start as usize..d.primary.span.end as usize).is_some(), "{:?}", d);
            prop_assert!(!d.help.is_empty(), "{:?}", d);
        }
        let _ = print(&file, &text);
    }

    #[test]
    fn any_text_at_all_is_read_without_a_panic(text in any::<String>()) {
        let (file, _) = parse(FileId(0), &text);
        let _ = print(&file, &text);
    }
}
