//! What the stored states of a pattern mean, written down and hashed: whether states of an earlier version of the pattern can go on under this one.
//!
//! States are positions, bits and lists of values; what each stands for is said by the automaton. The description names all that it takes to read them, by names and not by
//! numbers of the running program, so that other patterns, other orders of declaration and other thresholds leave it as it is.
//! `docs/checkpoint.md` has it byte by byte.

mod expression;

use std::hash::Hasher as _;

use super::expression::StepMask;
use super::nfa::{Completion, Counting, Nfa, Position, Skip, Target, Wanted, Way, Which};
use super::register::{Asked, RegisterKind, RegisterSpec};
use super::window::{SessionClose, Sharing, WindowKind, WindowPlan};
use crate::event::schema::FieldType;
use crate::event::{EventTypeId, FieldId};
use crate::lang::operands;
use crate::lang::pattern::{
    AggregateFunction, Contiguity, Expr, Pattern, Program, StepId, StepRole,
};
use crate::lang::scalar::StableHasher;
use crate::time::Span;
use crate::wire::{put_bool, put_bytes, put_int, put_str, put_uint};

/// The version of the description; part of it.
const VERSION: u64 = 1;

/// How the states of an automaton are laid out, worked out once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    structure: u64,
    /// Of each part, a hash.
    parts: [u64; StructurePart::ALL.len()],
    /// The numbers of the registers, in the order of their descriptions.
    pub(super) registers: Vec<u16>,
    /// What is kept of events that are kept, by type.
    pub(super) kept: Vec<Kept>,
    /// By position: ways on that can be open.
    pub(super) open: Vec<u64>,
}

/// What a structure consists of, for people who ask why a pattern restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StructurePart {
    /// The event types that it reads, and its key.
    Inputs,
    /// Its steps, by name and type.
    Steps,
    /// Whether it has a `timeout`, and `within` where rows are made when it passes.
    Timeout,
    /// How steps are joined, or what window it is.
    Ways,
    /// What `limit … by` tells apart.
    Limit,
    /// Fields that rows of `emit each` read.
    Each,
    /// What is remembered of events bound.
    Registers,
}

impl StructurePart {
    /// In the order of their descriptions.
    const ALL: [StructurePart; 7] = [
        StructurePart::Inputs,
        StructurePart::Steps,
        StructurePart::Timeout,
        StructurePart::Ways,
        StructurePart::Limit,
        StructurePart::Each,
        StructurePart::Registers,
    ];
}

impl std::fmt::Display for StructurePart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StructurePart::Inputs => "its key or the event types that it reads",
            StructurePart::Steps => "its steps",
            StructurePart::Timeout => "its timeout, or a bound of time whose passing makes rows",
            StructurePart::Ways => "how its steps are joined, or its window",
            StructurePart::Limit => "what `limit` tells apart",
            StructurePart::Each => "the fields that `emit each` reads",
            StructurePart::Registers => "what its conditions and outputs read of steps",
        })
    }
}

/// What is kept of an event of one type.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub ty: EventTypeId,
    /// How many fields the type has.
    pub width: usize,
    /// The fields that a row may read, by name.
    pub fields: Vec<FieldId>,
}

impl Nfa {
    /// A fingerprint of all that stored states rest on. States that were encoded under an automaton can be decoded under every other one with the same fingerprint, and go on
    /// with a meaning: what was decided under the old pattern stays decided, and the new one rules from then on. It is the same on every machine, in every process, and in every later version that
    /// reads these states.
    ///
    /// These changes of a pattern keep its state:
    ///
    /// - conditions: thresholds and constants, and whatever a `where` or `having` asks as long as it reads no other aggregates, fields of other steps, or `prev`;
    /// - `within`, gaps, `after` and the length of a negation in front of or between steps, unless rows are made when time passes (see below);
    /// - `limit`, added, removed or with other numbers; `bound`; `skip` between `past match`, `none` and `to next`;
    /// - the records and names of outputs, as long as they read no other aggregates and no other fields of steps; their order;
    /// - the least number of events of a window; annotations; the pattern's name, as far as the automaton is concerned;
    /// - other patterns, event types and fields that the pattern does not read, in whatever order they are declared.
    ///
    /// These restart it:
    ///
    /// - the key: its fields by name and type; the event types that the pattern reads, by name;
    /// - steps: their names, types, order, number, and how they are joined: connectors, groups, alternatives, loops with their least and greatest numbers, negations, `until`;
    /// - what is remembered of steps: aggregates and fields that conditions and outputs read, by name, with what is computed from them;
    /// - where rows are made when time passes (`timeout`, a negation or a closer at the end): each bound of time, since a shorter one would make rows of the past;
    /// - windows: kind, size, distance, time zone; whether their condition reads what they hold;
    /// - `skip to`; `timeout`, added or removed; what `limit … by` tells apart; with `emit each`, the fields that its rows read.
    #[must_use]
    pub fn structure(&self) -> u64 {
        self.layout.structure
    }

    /// The parts in which the structures of two automata differ, the most telling first; none if they are the same.
    #[must_use]
    pub fn structure_changes(&self, other: &Nfa) -> Vec<StructurePart> {
        let parts = self.layout.parts.iter().zip(&other.layout.parts);
        let parts = StructurePart::ALL.into_iter().zip(parts);
        let differing = parts.filter(|(_, (a, b))| a != b);
        let mut differing: Vec<StructurePart> = differing.map(|(part, _)| part).collect();
        // Other steps are joined otherwise, and remember other things.
        if differing.contains(&StructurePart::Steps) {
            differing.retain(|part| *part <= StructurePart::Steps);
        }
        differing
    }
}

impl Layout {
    /// The layout of an automaton that lacks nothing else.
    pub(super) fn of(nfa: &Nfa, program: &Program) -> Layout {
        let pattern = &program.patterns[nfa.pattern.0 as usize];
        let mut registers: Vec<(Vec<u8>, u16)> = (0..)
            .zip(&nfa.registers.specs)
            .map(|(at, spec)| {
                let mut description = Description::new(program, pattern, &[]);
                description.register(spec);
                (description.out, at)
            })
            .collect();
        registers.sort();
        let kept = kept(program, pattern);
        // A bound that became shorter would make rows of a past that is over.
        let timed = nfa.outlook.rows_in_time;
        let mut description = Description::new(program, pattern, &kept);
        description.timed = timed;
        description.automaton(nfa);
        description.end_part();
        put_uint(&mut description.out, registers.len() as u64);
        for (register, _) in &registers {
            put_bytes(&mut description.out, register);
        }
        description.end_part();
        let parts = description.parts;
        Layout {
            structure: hash(&description.out),
            parts: parts.try_into().expect("every part ends once"),
            registers: registers.into_iter().map(|(_, at)| at).collect(),
            kept,
            open: nfa.positions.iter().map(open).collect(),
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = StableHasher::default();
    hasher.write_u64(bytes.len() as u64);
    hasher.write(bytes);
    hasher.finish()
}

/// The ways on that a run can have open: all but those that complete at once.
fn open(position: &Position) -> u64 {
    let ways = (0..).zip(&position.ways);
    let open = ways.filter(|(_, way)| way.target != Target::End(Completion::AtOnce));
    open.fold(0, |mask, (at, _): (u32, _)| mask | 1 << at)
}

/// The types of steps that bind events, each with the fields that rows of `emit each` read, by name.
fn kept(program: &Program, pattern: &Pattern) -> Vec<Kept> {
    let mut kept: Vec<Kept> = Vec::new();
    let binding = |step: &&crate::lang::pattern::Step| step.role == StepRole::Positive;
    for step in pattern.steps.iter().filter(binding) {
        if kept.iter().all(|kept| kept.ty != step.ty) {
            kept.push(Kept {
                ty: step.ty,
                width: program.schema.get(step.ty).fields.len(),
                fields: Vec::new(),
            });
        }
    }
    let mut read = |expr: &Expr| match expr {
        Expr::Field(field) => kept.iter_mut().for_each(|kept| kept.read(*field)),
        Expr::EachField(fields) => {
            for (ty, field) in fields {
                let of_type = kept.iter_mut().filter(|kept| kept.ty == *ty);
                of_type.for_each(|kept| kept.read(*field));
            }
        }
        _ => {}
    };
    for emit in pattern.emits.iter().filter(|emit| emit.each) {
        emit.fields.iter().for_each(|field| bare(field, &mut read));
    }
    for kept in &mut kept {
        let fields = &program.schema.get(kept.ty).fields;
        let name = |field: &FieldId| &fields[usize::from(field.0)].name;
        kept.fields.sort_by(|a, b| name(a).cmp(name(b)));
    }
    kept
}

/// Shows the parts of an output's expression that read the row's own event.
fn bare(expr: &Expr, show: &mut impl FnMut(&Expr)) {
    // Those of an aggregate are of other events.
    if !matches!(expr, Expr::Aggregate(_) | Expr::Prev(..)) {
        show(expr);
        operands(expr).into_iter().for_each(|part| bare(part, show));
    }
}

impl Kept {
    fn read(&mut self, field: FieldId) {
        if usize::from(field.0) < self.width && !self.fields.contains(&field) {
            self.fields.push(field);
        }
    }
}

/// The description as it is written.
struct Description<'a> {
    program: &'a Program,
    pattern: &'a Pattern,
    kept: &'a [Kept],
    /// True if bounds of time are part of it.
    timed: bool,
    out: Vec<u8>,
    /// Of each part that has ended, a hash.
    parts: Vec<u64>,
    /// Where the part that goes on begins.
    part: usize,
}

impl<'a> Description<'a> {
    fn new(program: &'a Program, pattern: &'a Pattern, kept: &'a [Kept]) -> Description<'a> {
        Description {
            program,
            pattern,
            kept,
            timed: false,
            out: Vec::new(),
            parts: Vec::new(),
            part: 0,
        }
    }

    fn end_part(&mut self) {
        self.parts.push(hash(&self.out[self.part..]));
        self.part = self.out.len();
    }

    fn uint(&mut self, value: u64) {
        put_uint(&mut self.out, value);
    }

    fn count(&mut self, count: usize) {
        self.uint(count as u64);
    }

    fn mask(&mut self, steps: StepMask) {
        self.uint(steps.0);
    }

    /// One more than the step's number, or 0 for none.
    fn step(&mut self, step: Option<StepId>) {
        self.uint(step.map_or(0, |step| u64::from(step.0) + 1));
    }

    /// A length of time, if lengths are part of the description.
    fn span(&mut self, span: Option<Span>) {
        if self.timed {
            put_bool(&mut self.out, span.is_some());
            if let Some(span) = span {
                put_int(&mut self.out, span.0);
            }
        }
    }

    /// A field of an event type, by name, with its type.
    fn field(&mut self, ty: EventTypeId, field: FieldId) {
        let field = self.program.schema.get(ty).fields.get(usize::from(field.0));
        put_str(&mut self.out, field.map_or("", |field| &field.name));
        self.out
            .push(field.map_or(0, |field| type_number(field.ty)));
    }

    fn automaton(&mut self, nfa: &Nfa) {
        self.uint(VERSION);
        self.inputs(nfa);
        self.end_part();
        self.count(nfa.steps.len());
        for step in &self.pattern.steps {
            put_str(&mut self.out, &step.name);
            put_str(&mut self.out, &self.program.schema.get(step.ty).name);
        }
        self.end_part();
        put_bool(&mut self.out, self.timed);
        put_bool(&mut self.out, nfa.timeout.is_some());
        self.span(nfa.within);
        self.end_part();
        match &nfa.window {
            Some(window) => self.window(window),
            None => self.runs(nfa),
        }
        self.end_part();
        let by = self
            .pattern
            .limit
            .as_ref()
            .map_or(&[][..], |limit| &limit.by);
        self.count(by.len());
        let bare = self.kept.first().map(|kept| kept.ty);
        by.iter().for_each(|by| self.expression(by, bare));
        self.end_part();
        self.rows();
    }

    /// What is read, in the order of names, with the key.
    fn inputs(&mut self, nfa: &Nfa) {
        let schema = &self.program.schema;
        let mut inputs: Vec<_> = nfa.inputs.iter().collect();
        inputs.sort_by_key(|input| &schema.get(input.ty).name);
        self.count(inputs.len());
        for input in inputs {
            put_str(&mut self.out, &schema.get(input.ty).name);
            self.count(input.key.len());
            input
                .key
                .iter()
                .for_each(|field| self.field(input.ty, *field));
        }
    }

    fn window(&mut self, window: &WindowPlan) {
        self.step(Some(window.step));
        match &window.kind {
            WindowKind::Session { close, until } => {
                let (number, span) = match close {
                    SessionClose::AfterLast(span) => (1, span),
                    SessionClose::AfterFirst(span) => (2, span),
                };
                self.out.push(number);
                self.span(Some(*span));
                self.step(*until);
            }
            WindowKind::Time { windows, sharing } => {
                self.out.push(match sharing {
                    Sharing::Panes => 3,
                    Sharing::Apart => 4,
                });
                let zone = windows.calendar.zone.as_ref();
                put_str(
                    &mut self.out,
                    zone.and_then(|zone| zone.iana_name()).unwrap_or(""),
                );
                for length in [windows.calendar.unit.0, windows.size, windows.every] {
                    put_int(&mut self.out, length);
                }
            }
            WindowKind::Count { pane, size, every } => {
                self.out.push(5);
                for length in [pane, size, every] {
                    self.uint(*length);
                }
            }
        }
    }

    fn runs(&mut self, nfa: &Nfa) {
        self.out.push(0);
        self.count(nfa.counters);
        self.count(nfa.positions.len());
        for position in &nfa.positions {
            self.step(position.step);
            self.count(position.ways.len());
            position.ways.iter().for_each(|way| self.way(way));
        }
        // How far a negation in front looks back is no part: what was seen before is forgotten or not.
        self.count(nfa.leading.len());
        nfa.leading
            .iter()
            .for_each(|(step, _)| self.step(Some(*step)));
        match nfa.skip {
            Skip::To(steps, which) => {
                self.out.push(match which {
                    Which::First => 1,
                    Which::Last => 2,
                });
                self.mask(steps);
            }
            Skip::PastMatch | Skip::None | Skip::ToNext => self.out.push(0),
        }
    }

    fn way(&mut self, way: &Way) {
        // Named one by one, so that a new field has to be thought of here.
        let Way {
            target,
            contiguity,
            after,
            gap,
            between,
            adjacent,
            holds,
            wanted,
            guards,
            counting,
            unless,
            until,
            closes,
            anchors,
            leading,
        } = way;
        match target {
            Target::Position(at) => {
                self.out.push(0);
                self.uint(u64::from(*at));
            }
            Target::End(completion) => self.completion(Some(*completion)),
        }
        self.out.push(match contiguity {
            Contiguity::Strict => 1,
            Contiguity::SkipTillNext => 2,
            Contiguity::SkipTillAny => 3,
        });
        self.span(*after);
        self.span(*gap);
        self.mask(*between);
        self.mask(*adjacent);
        self.count(holds.len());
        for (steps, span) in holds {
            self.mask(*steps);
            self.span(Some(*span));
        }
        self.count(wanted.len());
        wanted.iter().for_each(|wanted| self.wanted(wanted));
        self.count(guards.len());
        for (counter, least, below) in guards {
            self.uint(u64::from(*counter));
            self.uint(u64::from(*least));
            self.uint(u64::from(*below));
        }
        self.count(counting.len());
        for (counter, counting) in counting {
            self.uint(u64::from(*counter));
            self.uint(match counting {
                Counting::One => 0,
                Counting::More(held) => u64::from(*held) + 1,
            });
        }
        self.step(*unless);
        self.step(*until);
        self.completion(*closes);
        put_bool(&mut self.out, *anchors);
        self.uint(*leading);
    }

    fn completion(&mut self, completion: Option<Completion>) {
        let (number, span) = match completion {
            None => (0, None),
            Some(Completion::AtOnce) => (1, None),
            Some(Completion::Since(span)) => (2, Some(span)),
            Some(Completion::Within) => (3, None),
            Some(Completion::SinceAnchor(span)) => (4, Some(span)),
            Some(Completion::NextEvent) => (5, None),
        };
        self.out.push(number);
        self.span(span);
    }

    fn wanted(&mut self, wanted: &Wanted) {
        self.mask(wanted.steps);
        self.step(wanted.until);
        put_bool(&mut self.out, wanted.full.is_some());
        if let Some((counter, full)) = wanted.full {
            self.uint(u64::from(counter));
            self.uint(u64::from(full));
        }
    }

    /// What a register holds.
    fn register(&mut self, spec: &RegisterSpec) {
        match (&spec.asked, spec.kind) {
            (Asked::Value(function, variable, argument), RegisterKind::Function(_, ty)) => {
                put_str(&mut self.out, function.name());
                self.mask(spec.steps);
                // Others hold values as they come.
                let adds = matches!(function, AggregateFunction::Sum | AggregateFunction::Avg);
                self.out.push(if adds { type_number(ty) } else { 0 });
                let of = self.pattern.variables[usize::from(variable.0)].ty;
                self.expression(argument, Some(of));
            }
            _ => put_str(&mut self.out, "each"),
        }
    }

    /// What is kept of events for `emit each`.
    fn rows(&mut self) {
        let each = self.pattern.emits.iter().any(|emit| emit.each);
        put_bool(&mut self.out, each);
        let kept = if each { self.kept } else { &[] };
        for kept in kept {
            put_str(&mut self.out, &self.program.schema.get(kept.ty).name);
            self.count(kept.fields.len());
            kept.fields
                .iter()
                .for_each(|field| self.field(kept.ty, *field));
        }
    }
}

/// The number of a type, as that of its values in stored bytes.
fn type_number(ty: FieldType) -> u8 {
    match ty {
        FieldType::Bool => 1,
        FieldType::Int => 3,
        FieldType::Float => 4,
        FieldType::Decimal => 5,
        FieldType::String => 6,
        // Read in whatever unit, they are kept in milliseconds.
        FieldType::Timestamp(_) => 7,
        FieldType::Duration => 8,
        FieldType::List => 9,
    }
}
