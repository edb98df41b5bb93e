//! Checked programs: every name is a number, every type is known, every pattern is bounded.
//!
//! This is all that the automaton and the reference matcher know of the language. Whatever can be said
//! in two ways in a file is said in one way here: functions are inlined, parameters are constants,
//! `+ * ? {n,m}` are bounds, key aliases are fields.

use std::sync::Arc;

use crate::event::{EventTypeId, FieldId, FieldType, Schema, Value};
use crate::time::Span;

pub use super::ast::{BinaryOp, Evict, UnaryOp};

/// A checked program: all files given to one run.
#[derive(Clone, Debug)]
pub struct Program {
    /// Declared event types first, then one type per stream that a pattern emits.
    pub schema: Schema,
    /// Tables in order of declaration.
    pub tables: Vec<Table>,
    /// In order of declaration.
    pub patterns: Vec<Pattern>,
    /// Numbers into `patterns` so that a pattern stands after those whose streams it reads.
    pub order: Vec<PatternId>,
    /// Tests in order of declaration.
    pub tests: Vec<Test>,
}

/// A pattern's number in [`Program::patterns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(pub u32);

/// A table's number in [`Program::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u16);

/// A step's number in [`Pattern::steps`]. At most [`STEPS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u8);

/// A variable's number in [`Pattern::variables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariableId(pub u8);

/// The most steps a pattern may have, negations and `until` included: one bit each in a word.
pub const STEPS_MAX: usize = 64;

/// The most repeats a quantifier may ask for.
pub const REPEATS_MAX: u64 = 1_000_000;

/// The most members `all(…)` may have.
pub const ALL_MAX: usize = 5;

/// How many partial matches of a key a pattern without `bound` may hold.
pub const BOUND_DEFAULT: u32 = 1_000;

/// Reference data: rows looked up by one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub fields: Vec<crate::event::schema::Field>,
    /// The column it is looked up by.
    pub key: FieldId,
}

/// A checked pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Its name; the identity of its state across versions.
    pub name: String,
    /// `@name("text")`, in order.
    pub annotations: Vec<(String, String)>,
    /// Every event type it reads, each once: those of its steps, and those of `from`. Any of them, with the same key, is
    /// "in between" for `next`.
    pub inputs: Vec<Input>,
    /// Names of the key's parts; empty when unkeyed.
    pub key: Vec<String>,
    /// Types of the key's parts.
    pub key_types: Vec<FieldType>,
    /// Positive, negated and `until` steps, in order of appearance.
    pub steps: Vec<Step>,
    /// Names that conditions and outputs may use.
    pub variables: Vec<Variable>,
    /// What must happen in which order.
    pub body: Sequence,
    /// Last bound time - first bound time is at most this.
    pub within: Option<Span>,
    /// Judged on a completed match.
    pub having: Option<Expr>,
    /// What a match removes.
    pub skip: AfterMatch,
    /// How many matches get through.
    pub limit: Option<Limit>,
    /// How many partial matches a key may have.
    pub bound: Bound,
    /// `emit` and `emit each`, in order.
    pub emits: Vec<Emit>,
    /// `timeout`.
    pub timeout: Option<TimeoutEmit>,
}

/// An event type that a pattern reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The type.
    pub ty: EventTypeId,
    /// The field for each part of the key.
    pub key: Vec<FieldId>,
}

/// A step: an event type and a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its variable's name, or that of its event type. Unique in the pattern (`Txn`, `Txn_2`, …); the identity of its state.
    pub name: String,
    /// What it is for.
    pub role: StepRole,
    /// The event type that it waits for.
    pub ty: EventTypeId,
    /// Its condition (`where`); `None` fits every event of the type.
    pub condition: Option<Expr>,
}

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepRole {
    /// Binds events.
    Positive,
    /// Must not happen.
    Negated,
    /// Ends a loop.
    Until,
}

/// A name for the events bound by one step, or by all steps of a named group (which then have one event type).
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The positive steps whose events it holds; never empty.
    pub steps: Vec<StepId>,
    /// Their event type.
    pub ty: EventTypeId,
}

/// Elements one after the other. Never empty; holds at least one positive element.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The connector of the first element of a sequence is never looked at: what stands before the group governs it.
    pub elements: Vec<Element>,
}

/// One element of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// Binds events.
    Positive {
        /// How it follows what is bound before it.
        connector: Connector,
        /// What it binds.
        node: Node,
    },
    /// `not x`
    Absent(Absence),
}

/// A negation.
#[derive(Clone, Debug, PartialEq)]
pub struct Absence {
    /// What must not happen.
    pub step: StepId,
    /// Over which events it rules.
    pub reach: Reach,
}

/// Over which events a negation rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `then not x`: all strictly between the events bound before and after it; at the end of the pattern, up to the end of `within`.
    Between,
    /// `next not x`: only the event right after the one bound before it.
    Adjacent,
    /// `not x for D`: those less than D after the event bound before it (at the start of the pattern, less than D before the first).
    /// Only in the outermost sequence; what follows in it, if anything, is positive.
    For(Span),
}

/// How an element follows what is bound before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connector {
    /// What may lie between.
    pub contiguity: Contiguity,
    /// The gap is at least this; earlier events do not count as satisfying.
    pub after: Option<Span>,
    /// The gap is at most this.
    pub within: Option<Span>,
}

/// What may lie between two bound events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contiguity {
    /// `next`, `consecutive`: nothing.
    Strict,
    /// `then`: nothing that satisfies the later step.
    SkipTillNext,
    /// `then any`, `combinations`: anything.
    SkipTillAny,
}

/// What a positive element is.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// One event.
    Step(StepId),
    /// `(p | q)`: one of them; the first is preferred. A group without `|` has one.
    Choice(Vec<Sequence>),
    /// `all(p, q)`: each once, one after the other as by `then`, in any order; the order of writing is preferred.
    All(Vec<Sequence>),
    /// A repeated step or group.
    Loop(Box<Loop>),
}

/// A repeated step or group.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// What is repeated: a step, a choice or an `all`.
    pub body: Node,
    /// The least number of repeats; 0 when the body can be empty.
    pub min: u32,
    /// The greatest number of repeats.
    pub max: Option<u32>,
    /// Which lengths are tried.
    pub appetite: Appetite,
    /// How repeats follow each other.
    pub contiguity: Contiguity,
    /// The step (of role [`StepRole::Until`]) that ends it. Only when the body is a step.
    pub until: Option<StepId>,
    /// What completes it. Only for the last element of the outermost sequence, greedy, with `max` open, `min` at least 1, and a step as body.
    pub closer: Option<Closer>,
}

/// Which lengths of a loop are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// While the loop is not full, an event that satisfies it is taken by it.
    Greedy,
    /// Every length is tried; shorter is preferred.
    Reluctant,
}

/// What completes the loop at the end of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Closer {
    /// `gap D`: when D has passed since its last event.
    Gap(Span),
    /// `for D`: when D has passed since its first event.
    For(Span),
    /// An aligned or counted window. The loop is then the pattern's only element.
    Window(Window),
}

/// An aligned or counted window.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// `tumble 1m` and `hop 5m every 30s` (`size` = `every` when tumbling): `[start, start + size)` for each start that is a multiple of `every`
    /// after midnight of 1970-01-01, in UTC or in the time zone.
    Time {
        /// Length of a window.
        size: Span,
        /// Distance between starts; at most `size`.
        every: Span,
        /// Boundaries follow the local clock of this time zone.
        tz: Option<String>,
    },
    /// `tumble 100` and `hop 100 every 10`: after every `every` events of a key, over the last `size`.
    Count {
        /// How many events a window holds at most.
        size: u32,
        /// Distance between windows; at most `size`.
        every: u32,
    },
}

/// What a match removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterMatch {
    /// What starts at or before the match's last event.
    PastMatch,
    /// Nothing.
    None,
    /// What starts at or before the match's first event.
    ToNext,
    /// What starts before the first event bound to the variable.
    To(VariableId),
    /// What starts before the last event bound to the variable.
    ToLast(VariableId),
}

/// `limit N per D by …`: at most N matches of a key (and of equal values of `by`) in any stretch of D get through.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// N, at least 1.
    pub count: u32,
    /// D, more than zero.
    pub per: Span,
    /// Told apart by these besides the key.
    pub by: Vec<Expr>,
}

/// How many partial matches a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// At least 1.
    pub count: u32,
    /// Which one gives way.
    pub evict: Evict,
}

/// `emit [each] NAME { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// The stream; also an event type of the schema.
    pub stream: EventTypeId,
    /// True with `each`: a row per bound event, in order; a bare field is that event's (null when its type has no such field).
    pub each: bool,
    /// One expression per field of the stream's type.
    pub fields: Vec<Expr>,
}

/// `timeout NAME { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct TimeoutEmit {
    /// The stream; also an event type of the schema.
    pub stream: EventTypeId,
    /// One expression per field of the stream's type.
    pub fields: Vec<Expr>,
}

/// A checked expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Const(Value),
    /// A field of the event being tested, or inside an aggregate of each event in turn, or in `emit each` of the row's event. For `emit each` over several event
    /// types see [`Expr::EachField`].
    Field(FieldId),
    /// In `emit each` over several event types: the field for each type that has it, else null.
    EachField(Vec<(EventTypeId, FieldId)>),
    /// `x.f`: of the last event bound to the variable *before* the event being tested; null when there is none.
    Bound(VariableId, FieldId),
    /// `prev(f)`: an expression over the fields of the last event bound to the current step before the event being tested; null when there is none.
    Prev(VariableId, Box<Expr>),
    /// An aggregate over the events bound to a variable.
    Aggregate(Aggregate),
    /// Part of the key, by number; works everywhere.
    Key(usize),
    /// `key()`: the whole key: one value, or a list when composite, null when unkeyed.
    WholeKey,
    /// `match_start()`: time of the first bound event (of the event being tested, when it is the first).
    MatchStart,
    /// `match_end()`: time of the last bound event, the event being tested included.
    MatchEnd,
    /// `window_start()`: start of the window; for `gap` and `for`, time of the loop's first event.
    WindowStart,
    /// `window_end()`: end of the window, exclusive; for `gap` and `for`, the time at which it closes.
    WindowEnd,
    /// `reached()`: name of the last step bound. Only in a timeout.
    Reached,
    /// `Table[key].field`; null when there is no such row.
    Lookup(TableId, Box<Expr>, FieldId),
    /// `-a`, `not a`
    Unary(UnaryOp, Box<Expr>),
    /// Two operands.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a in [b, c]`; negated by [`UnaryOp::Not`] around it only when `a` is not null: see `scalar`.
    In {
        /// What is looked for.
        needle: Box<Expr>,
        /// Among these.
        list: Vec<Expr>,
        /// `not in`
        negated: bool,
    },
    /// A scalar function.
    Call(Function, Vec<Expr>),
    /// A regular expression compiled once: `matches(text, "…")`
    Matches(Box<Expr>, Regex),
}

/// An aggregate over the events bound to a variable, the event being tested included when it is tested for one of the variable's steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which one.
    pub function: AggregateFunction,
    /// Over which events.
    pub variable: VariableId,
    /// Computed from each event ([`Expr::Field`] reads it); holds no other aggregate, variable, or `prev`. `Const(Null)` for `count`.
    pub argument: Box<Expr>,
    /// The type of the argument.
    pub argument_type: FieldType,
    /// True when the event being tested counts: the condition belongs to one of the variable's steps.
    pub includes_tested: bool,
}

/// Aggregates. Nulls are passed over by all but `count`, `first`, `last` and `collect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// Of the first event; null when there is none.
    First,
    /// Of the last event; null when there is none.
    Last,
    /// Number of events.
    Count,
    /// 0 when there is none; null once it overflows.
    Sum,
    /// Null when there is none. Of ints and decimals a decimal, of floats a float.
    Avg,
    /// Null when there is none.
    Min,
    /// Null when there is none.
    Max,
    /// Number of distinct values.
    Distinct,
    /// All values in order.
    Collect,
}

impl AggregateFunction {
    /// Its name in patterns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AggregateFunction::First => "first",
            AggregateFunction::Last => "last",
            AggregateFunction::Count => "count",
            AggregateFunction::Sum => "sum",
            AggregateFunction::Avg => "avg",
            AggregateFunction::Min => "min",
            AggregateFunction::Max => "max",
            AggregateFunction::Distinct => "distinct",
            AggregateFunction::Collect => "collect",
        }
    }
}

/// Scalar functions; what each does is in `scalar`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Function {
    Abs,
    Round,
    Floor,
    Ceil,
    Least,
    Greatest,
    Lower,
    Upper,
    Length,
    Contains,
    StartsWith,
    EndsWith,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Weekday,
    Seconds,
    Minutes,
    Hours,
    Days,
    DistanceKm,
    InCidr,
}

impl Function {
    /// Its name in patterns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Function::Abs => "abs",
            Function::Round => "round",
            Function::Floor => "floor",
            Function::Ceil => "ceil",
            Function::Least => "least",
            Function::Greatest => "greatest",
            Function::Lower => "lower",
            Function::Upper => "upper",
            Function::Length => "length",
            Function::Contains => "contains",
            Function::StartsWith => "starts_with",
            Function::EndsWith => "ends_with",
            Function::Year => "year",
            Function::Month => "month",
            Function::Day => "day",
            Function::Hour => "hour",
            Function::Minute => "minute",
            Function::Weekday => "weekday",
            Function::Seconds => "seconds",
            Function::Minutes => "minutes",
            Function::Hours => "hours",
            Function::Days => "days",
            Function::DistanceKm => "distance_km",
            Function::InCidr => "in_cidr",
        }
    }
}

/// A compiled regular expression; equal when its text is.
#[derive(Clone, Debug)]
pub struct Regex(pub Arc<regex::Regex>);

impl PartialEq for Regex {
    fn eq(&self, other: &Regex) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A checked test.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// Where it stands.
    pub file: super::span::FileId,
    /// Its place.
    pub span: super::span::Span,
    /// The patterns of its file, by number (all of the run for a file without patterns): their outputs are compared.
    pub patterns: Vec<PatternId>,
    /// Events in order of arrival. Their times are offsets on the test's clock, which starts at [`TEST_EPOCH`].
    pub given: Vec<crate::event::Event>,
    /// Rows of tables.
    pub rows: Vec<(TableId, Vec<Value>)>,
    /// Exactly the rows expected.
    pub expect: Vec<Expected>,
}

/// Where the clock of a test starts: 2024-01-01T00:00:00Z.
pub const TEST_EPOCH: crate::time::Timestamp = crate::time::Timestamp(1_704_067_200_000);

/// A row that a test expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// When: the time at which the match completed, or the instant at which the bound passed.
    pub at: crate::time::Timestamp,
    /// The stream.
    pub stream: EventTypeId,
    /// The fields it names with the values it wants. Fields it leaves out are not compared.
    pub fields: Vec<(FieldId, Value)>,
    /// Its place.
    pub span: super::span::Span,
}
