//! Prints declarations, clauses and sequences.

use super::{Keep, Printer};
use crate::lang::ast::{
    Atom, Closer, CloserKind, Connector, ConnectorKind, Evict, Extent, FieldDecl, File, Item, Key,
    KeyPart, Loop, LoopContiguity, OutputKind, PatternDecl, QuantifierForm, Record, Sequence, Skip,
    SkipKind, Step, StepKind, TestDecl, TestRow, TypeRef,
};
use crate::time;

impl<'a> Printer<'a> {
    pub(super) fn file(&mut self, file: &'a File) {
        for (at, item) in file.items.iter().enumerate() {
            let keep = match at.checked_sub(1).map(|at| &file.items[at]) {
                None => Keep::Blank,
                Some(last) if is_large(last) || is_large(item) => Keep::ForceBlank,
                Some(_) => Keep::Blank,
            };
            self.line(keep);
            self.item(item);
        }
    }

    fn item(&mut self, item: &'a Item) {
        match item {
            Item::Event(event) => {
                self.word("event");
                self.space();
                self.ident(&event.name);
                self.space();
                self.braces(&event.fields, Self::field_decl);
            }
            Item::Table(table) => {
                self.word("table");
                self.space();
                self.ident(&table.name);
                self.space();
                self.braces(&table.fields, Self::field_decl);
                self.space();
                self.word("key");
                self.space();
                self.ident(&table.key);
            }
            Item::Param(param) => {
                self.word("param");
                self.space();
                self.ident(&param.name);
                self.word(":");
                self.space();
                self.type_ref(&param.ty);
                self.space();
                self.word("=");
                self.space();
                self.expr(&param.value);
            }
            Item::Fn(function) => {
                self.word("fn");
                self.space();
                self.ident(&function.name);
                self.tight("(", &function.args, ")", |printer, (name, ty)| {
                    printer.ident(name);
                    printer.word(":");
                    printer.space();
                    printer.type_ref(ty);
                });
                self.word(":");
                self.space();
                self.type_ref(&function.result);
                self.space();
                self.word("=");
                self.space();
                self.expr(&function.body);
            }
            Item::Pattern(pattern) => self.pattern(pattern),
            Item::Test(test) => self.test(test),
        }
    }

    fn field_decl(&mut self, field: &'a FieldDecl) {
        self.ident(&field.name);
        self.word(":");
        self.space();
        self.type_ref(&field.ty);
        if field.time.is_some() {
            self.space();
            self.word("time");
        }
        if let Some(path) = &field.from {
            self.space();
            self.word("from");
            self.space();
            self.quoted(&path.value);
        }
    }

    fn type_ref(&mut self, ty: &'a TypeRef) {
        self.ident(&ty.name);
        if let Some(unit) = &ty.unit {
            self.word("(");
            self.ident(unit);
            self.word(")");
        }
        if ty.optional {
            self.word("?");
        }
    }

    // Tests

    fn test(&mut self, test: &'a TestDecl) {
        self.word("test");
        self.space();
        self.quoted(&test.name.value);
        self.space();
        self.word("{");
        self.indent(2);
        self.line(Keep::Nothing);
        self.word("given");
        self.space();
        self.rows(&test.given);
        self.line(Keep::Blank);
        self.word("expect");
        self.space();
        self.rows(&test.expect);
        self.indent(-2);
        self.line(Keep::Nothing);
        self.word("}");
    }

    /// One row may share the line with its braces, several may not.
    fn rows(&mut self, rows: &'a [TestRow]) {
        self.open();
        self.word("{");
        self.indent(2);
        let pad = if rows.len() > 1 {
            self.longest_offset(rows)
        } else {
            0
        };
        for (at, row) in rows.iter().enumerate() {
            match (rows.len(), at) {
                (1, _) => self.break_or_space(Keep::Nothing),
                (_, 0) => self.line(Keep::Nothing),
                _ => self.line(Keep::Blank),
            }
            let offset = self.duration(row.at.value);
            let width = offset.len();
            self.push(offset);
            if width < pad {
                self.push(" ".repeat(pad - width).into());
            }
            self.space();
            self.ident(&row.name);
            self.space();
            self.record(&row.record);
        }
        self.indent(-2);
        match rows.len() {
            0 => self.break_or_nothing(),
            1 => self.break_or_space(Keep::Nothing),
            _ => self.line(Keep::Nothing),
        }
        self.word("}");
        self.close();
    }

    /// Columns that the offsets are padded to, so that the names of a test's rows stand under each other.
    fn longest_offset(&self, rows: &[TestRow]) -> usize {
        const PAD_MAX: usize = 12;
        let width = |row: &TestRow| {
            let written = self
                .text
                .get(row.at.span.start as usize..row.at.span.end as usize)
                .filter(|written| !written.is_empty());
            written.map_or_else(|| row.at.value.to_string().len(), str::len)
        };
        rows.iter()
            .map(width)
            .filter(|&w| w <= PAD_MAX)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn record(&mut self, record: &'a Record) {
        self.braces(&record.fields, |printer, (name, value)| {
            printer.ident(name);
            if let Some(value) = value {
                printer.word(":");
                printer.space();
                printer.expr(value);
            }
        });
    }

    // Patterns

    fn pattern(&mut self, pattern: &'a PatternDecl) {
        for annotation in &pattern.annotations {
            self.word("@");
            self.ident(&annotation.name);
            self.word("(");
            self.quoted(&annotation.value.value);
            self.word(")");
            self.line(Keep::Nothing);
        }
        self.word("pattern");
        self.space();
        self.ident(&pattern.name);
        self.space();
        self.word("{");
        self.indent(2);
        let mut keep = Keep::Nothing;
        if !pattern.from.is_empty() {
            self.line(keep);
            keep = Keep::Blank;
            self.word("from");
            self.space();
            self.commas(&pattern.from, Self::ident);
        }
        self.line(keep);
        self.key(&pattern.key);
        self.line(Keep::Blank);
        self.matched(&pattern.sequence);
        self.clauses(pattern);
        for output in &pattern.outputs {
            self.line(Keep::Blank);
            self.word(match output.kind {
                OutputKind::Emit | OutputKind::EmitEach => "emit",
                OutputKind::Timeout => "timeout",
            });
            self.space();
            if output.kind == OutputKind::EmitEach {
                self.word("each");
                self.space();
            }
            self.ident(&output.name);
            self.space();
            self.record(&output.record);
        }
        self.indent(-2);
        self.line(Keep::Nothing);
        self.word("}");
    }

    fn key(&mut self, key: &'a Key) {
        match key {
            Key::Unkeyed(_) => self.word("unkeyed"),
            Key::Parts(parts, _) => {
                self.word("key");
                self.space();
                self.commas(parts, Self::key_part);
            }
        }
    }

    fn key_part(&mut self, part: &'a KeyPart) {
        self.ident(&part.name);
        for (at, (event, field)) in part.aliases.iter().enumerate() {
            self.space();
            self.word(if at == 0 { "=" } else { "|" });
            self.space();
            self.ident(event);
            self.word(".");
            self.ident(field);
        }
    }

    /// The clauses between `match` and the outputs.
    fn clauses(&mut self, pattern: &'a PatternDecl) {
        if let Some(within) = &pattern.within {
            self.line(Keep::Blank);
            self.bounded("within", within.value);
        }
        if let Some(having) = &pattern.having {
            self.line(Keep::Blank);
            self.word("having");
            self.space();
            self.expr(having);
        }
        if let Some(skip) = &pattern.skip {
            self.line(Keep::Blank);
            self.skip(skip);
        }
        if let Some(limit) = &pattern.limit {
            self.line(Keep::Blank);
            self.word("limit");
            self.space();
            self.word(limit.count.value.to_string());
            self.space();
            self.bounded("per", limit.per.value);
            if !limit.by.is_empty() {
                self.space();
                self.word("by");
                self.space();
                self.commas(&limit.by, Self::expr);
            }
        }
        if let Some(bound) = &pattern.bound {
            self.line(Keep::Blank);
            self.word("bound");
            self.space();
            self.word(bound.count.value.to_string());
            self.space();
            self.word("evict");
            self.space();
            self.word(match bound.evict {
                Evict::Oldest => "oldest",
                Evict::Newest => "newest",
            });
        }
    }

    fn bounded(&mut self, word: &'static str, value: time::Span) {
        self.word(word);
        self.space();
        let written = self.duration(value);
        self.push(written);
    }

    fn skip(&mut self, skip: &'a Skip) {
        self.word("skip");
        self.space();
        let words: &[&str] = match skip.kind {
            SkipKind::PastMatch => &["past", "match"],
            SkipKind::None => &["none"],
            SkipKind::ToNext => &["to", "next"],
            SkipKind::To(_) => &["to"],
            SkipKind::ToLast(_) => &["to", "last"],
        };
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                self.space();
            }
            self.word(*word);
        }
        if let SkipKind::To(name) | SkipKind::ToLast(name) = &skip.kind {
            self.space();
            self.ident(name);
        }
    }

    // Sequences

    /// One step to a line, the connectors so far indented that the steps stand under each other.
    fn matched(&mut self, sequence: &'a Sequence) {
        self.word("match");
        self.space();
        self.indent(6);
        self.step(&sequence.first);
        for (connector, step) in &sequence.rest {
            self.indent(-5);
            self.line(Keep::Blank);
            self.connector(connector);
            self.indent(5);
            self.space();
            self.step(step);
        }
        self.indent(-6);
    }

    fn sequence(&mut self, sequence: &'a Sequence) {
        self.open();
        self.step(&sequence.first);
        for (connector, step) in &sequence.rest {
            self.break_or_space(Keep::Nothing);
            self.connector(connector);
            self.space();
            self.step(step);
        }
        self.close();
    }

    fn connector(&mut self, connector: &'a Connector) {
        self.word(match connector.kind {
            ConnectorKind::Then | ConnectorKind::ThenAny => "then",
            ConnectorKind::Next => "next",
        });
        if connector.kind == ConnectorKind::ThenAny {
            self.space();
            self.word("any");
        }
        if let Some(after) = &connector.after {
            self.space();
            self.bounded("after", after.value);
        }
        if let Some(within) = &connector.within {
            self.space();
            self.bounded("within", within.value);
        }
    }

    fn step(&mut self, step: &'a Step) {
        match &step.kind {
            StepKind::Not { atom, window } => {
                self.word("not");
                self.space();
                self.atom(atom);
                if let Some(window) = window {
                    self.space();
                    self.bounded("for", window.value);
                }
            }
            StepKind::Atom { name, atom } => {
                self.label(name.as_ref());
                self.atom(atom);
            }
            StepKind::Group {
                name,
                alternatives,
                repeat,
            } => {
                self.label(name.as_ref());
                self.open();
                self.word("(");
                self.indent(2);
                self.break_or_nothing();
                for (at, alternative) in alternatives.iter().enumerate() {
                    if at > 0 {
                        self.break_or_space(Keep::Nothing);
                        self.word("|");
                        self.space();
                    }
                    self.sequence(alternative);
                }
                self.indent(-2);
                self.break_or_nothing();
                self.word(")");
                self.close();
                if let Some(repeat) = repeat {
                    self.repeat(repeat);
                }
            }
            StepKind::All(members) => {
                self.word("all");
                self.open();
                self.word("(");
                self.indent(2);
                self.break_or_nothing();
                for (at, member) in members.iter().enumerate() {
                    if at > 0 {
                        self.comma();
                        self.break_or_space(Keep::Nothing);
                    }
                    self.sequence(member);
                }
                self.indent(-2);
                self.break_or_nothing();
                self.word(")");
                self.close();
            }
        }
    }

    fn label(&mut self, name: Option<&'a crate::lang::ast::Ident>) {
        if let Some(name) = name {
            self.ident(name);
            self.word(":");
            self.space();
        }
    }

    fn atom(&mut self, atom: &'a Atom) {
        self.ident(&atom.event);
        if let Some(repeat) = &atom.repeat {
            self.repeat(repeat);
        }
        if let Some(condition) = &atom.condition {
            self.space();
            self.word("where");
            self.space();
            self.expr(condition);
        }
        if let Some(until) = &atom.until {
            // A group of its own: `until` goes to the next line only if it must.
            self.open();
            self.break_or_space(Keep::Nothing);
            self.word("until");
            self.space();
            self.ident(&until.event);
            if let Some(condition) = &until.condition {
                self.space();
                self.word("where");
                self.space();
                self.expr(condition);
            }
            self.close();
        }
    }

    fn repeat(&mut self, repeat: &'a Loop) {
        match &repeat.quantifier.form {
            QuantifierForm::Plus => self.word("+"),
            QuantifierForm::Star => self.word("*"),
            // `??` is one token.
            QuantifierForm::Optional if repeat.quantifier.reluctant => self.word("??"),
            QuantifierForm::Optional => self.word("?"),
            QuantifierForm::Exactly(n) => self.counted(n.value, None),
            QuantifierForm::AtLeast(n) => self.counted(n.value, Some(None)),
            QuantifierForm::Between(n, m) => self.counted(n.value, Some(Some(m.value))),
        }
        if repeat.quantifier.reluctant && repeat.quantifier.form != QuantifierForm::Optional {
            self.word("?");
        }
        if let Some((contiguity, _)) = repeat.contiguity {
            self.space();
            self.word(match contiguity {
                LoopContiguity::Consecutive => "consecutive",
                LoopContiguity::Combinations => "combinations",
            });
        }
        if let Some(closer) = &repeat.closer {
            self.space();
            self.closer(closer);
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`
    fn counted(&mut self, least: u64, most: Option<Option<u64>>) {
        self.word("{");
        self.word(least.to_string());
        if let Some(most) = most {
            self.word(",");
            if let Some(most) = most {
                self.word(most.to_string());
            }
        }
        self.word("}");
    }

    fn closer(&mut self, closer: &'a Closer) {
        let tz = match &closer.kind {
            CloserKind::Tumble { size, tz } => {
                self.word("tumble");
                self.space();
                self.extent(size);
                tz.as_ref()
            }
            CloserKind::Hop { size, every, tz } => {
                self.word("hop");
                self.space();
                self.extent(size);
                self.space();
                self.word("every");
                self.space();
                self.extent(every);
                tz.as_ref()
            }
            CloserKind::Gap(length) => {
                self.bounded("gap", length.value);
                None
            }
            CloserKind::For(length) => {
                self.bounded("for", length.value);
                None
            }
        };
        if let Some(tz) = tz {
            self.space();
            self.word("tz");
            self.space();
            self.quoted(&tz.value);
        }
    }

    fn extent(&mut self, extent: &'a Extent) {
        match extent {
            Extent::Time(length) => {
                let written = self.duration(length.value);
                self.push(written);
            }
            Extent::Count(count) => self.word(count.value.to_string()),
        }
    }
}

/// True for declarations that an empty line always sets apart.
fn is_large(item: &Item) -> bool {
    matches!(item, Item::Pattern(_) | Item::Test(_))
}
