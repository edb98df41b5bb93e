//! What a pattern file says, as written: names are text, nothing is resolved.
//!
//! Printing a file and parsing what was printed gives the same tree, spans and comments apart.

use super::span::Span;
use crate::time;

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// Its place.
    pub span: Span,
}

/// A duration with its place, such as `1h30m`.
#[derive(Clone, Debug, PartialEq)]
pub struct Duration {
    /// Never negative.
    pub value: time::Span,
    /// Its place.
    pub span: Span,
}

/// A text literal with its place; escapes resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Its place, quotes included.
    pub span: Span,
}

/// A non-negative whole number with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The number.
    pub value: u64,
    /// Its place.
    pub span: Span,
}

/// `# …` up to the end of the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// Without the `#`, right-trimmed.
    pub text: String,
    /// Its place, `#` included.
    pub span: Span,
}

/// One pattern file.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct File {
    /// In order of appearance.
    pub items: Vec<Item>,
    /// In order of appearance; the printer puts them back by their places.
    pub comments: Vec<Comment>,
}

/// One declaration.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Item {
    Event(EventDecl),
    Table(TableDecl),
    Param(ParamDecl),
    Fn(FnDecl),
    Pattern(Box<PatternDecl>),
    Test(TestDecl),
}

/// `event Name { field: type, … }`
#[derive(Clone, Debug, PartialEq)]
pub struct EventDecl {
    /// Its name.
    pub name: Ident,
    /// Its fields.
    pub fields: Vec<FieldDecl>,
    /// The whole declaration.
    pub span: Span,
}

/// `name: type [time] [from "a.b"]`
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDecl {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeRef,
    /// The place of the word `time`.
    pub time: Option<Span>,
    /// The nested path it is read from.
    pub from: Option<Text>,
    /// The whole field.
    pub span: Span,
}

/// `name`, `timestamp(s)`, `name?`
#[derive(Clone, Debug, PartialEq)]
pub struct TypeRef {
    /// The type's name.
    pub name: Ident,
    /// What stands in parentheses.
    pub unit: Option<Ident>,
    /// True with `?`.
    pub optional: bool,
    /// The whole type.
    pub span: Span,
}

/// `table Name { … } key field`
#[derive(Clone, Debug, PartialEq)]
pub struct TableDecl {
    /// Its name.
    pub name: Ident,
    /// Its columns.
    pub fields: Vec<FieldDecl>,
    /// The column it is looked up by.
    pub key: Ident,
    /// The whole declaration.
    pub span: Span,
}

/// `param name: type = expr`
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeRef,
    /// Its value unless a deployment overrides it.
    pub value: Expr,
    /// The whole declaration.
    pub span: Span,
}

/// `fn name(a: type, …): type = expr`
#[derive(Clone, Debug, PartialEq)]
pub struct FnDecl {
    /// Its name.
    pub name: Ident,
    /// Its arguments.
    pub args: Vec<(Ident, TypeRef)>,
    /// The type of its result.
    pub result: TypeRef,
    /// Its body.
    pub body: Expr,
    /// The whole declaration.
    pub span: Span,
}

/// `@name("text")`
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// Its name.
    pub name: Ident,
    /// Its text.
    pub value: Text,
    /// The whole annotation.
    pub span: Span,
}

/// `pattern name { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct PatternDecl {
    /// What stands before it.
    pub annotations: Vec<Annotation>,
    /// Its name.
    pub name: Ident,
    /// `from Type, …`
    pub from: Vec<Ident>,
    /// `key …` or `unkeyed`
    pub key: Key,
    /// `match …`
    pub sequence: Sequence,
    /// `within D`
    pub within: Option<Duration>,
    /// `having EXPR`
    pub having: Option<Expr>,
    /// `skip …`
    pub skip: Option<Skip>,
    /// `limit N per D by …`
    pub limit: Option<Limit>,
    /// `bound N evict …`
    pub bound: Option<Bound>,
    /// `emit …` and `timeout …`, in order of appearance.
    pub outputs: Vec<Output>,
    /// From `pattern` to the closing brace.
    pub span: Span,
}

/// How a pattern's events are told apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// `unkeyed`
    Unkeyed(Span),
    /// `key a, k = A.f | B.g`
    Parts(Vec<KeyPart>, Span),
}

/// `field` or `k = A.f | B.g`
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPart {
    /// The field's name, or the alias.
    pub name: Ident,
    /// Empty for a plain field: type and field for each alternative.
    pub aliases: Vec<(Ident, Ident)>,
}

/// `step conn step …`
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Its first step.
    pub first: Box<Step>,
    /// The others, each with the connector before it.
    pub rest: Vec<(Connector, Step)>,
    /// The whole sequence.
    pub span: Span,
}

/// `then [any] | next`, `[after D] [within D]`
#[derive(Clone, Debug, PartialEq)]
pub struct Connector {
    /// Which word.
    pub kind: ConnectorKind,
    /// The least gap.
    pub after: Option<Duration>,
    /// The greatest gap.
    pub within: Option<Duration>,
    /// The whole connector.
    pub span: Span,
}

/// The word of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorKind {
    /// `then`
    Then,
    /// `then any`
    ThenAny,
    /// `next`
    Next,
}

/// One step of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it is.
    pub kind: StepKind,
    /// The whole step.
    pub span: Span,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `not x [for D]`
    Not {
        /// What must not happen. Never has a loop or an `until`.
        atom: Atom,
        /// For how long.
        window: Option<Duration>,
    },
    /// `[name:] Type …`
    Atom {
        /// The variable.
        name: Option<Ident>,
        /// The event it waits for.
        atom: Atom,
    },
    /// `[name:] ( p | q ) [loop]`
    Group {
        /// The variable: every event the group binds.
        name: Option<Ident>,
        /// Never empty.
        alternatives: Vec<Sequence>,
        /// How often.
        repeat: Option<Loop>,
    },
    /// `all(p, q, …)`
    All(Vec<Sequence>),
}

/// `Type [loop] [where EXPR] [until Type [where EXPR]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Atom {
    /// The event type.
    pub event: Ident,
    /// How often.
    pub repeat: Option<Loop>,
    /// Its condition.
    pub condition: Option<Expr>,
    /// What ends the loop.
    pub until: Option<Until>,
    /// The whole atom.
    pub span: Span,
}

/// `until Type [where EXPR]`
#[derive(Clone, Debug, PartialEq)]
pub struct Until {
    /// The event type.
    pub event: Ident,
    /// Its condition.
    pub condition: Option<Expr>,
    /// The whole clause.
    pub span: Span,
}

/// `quant [consecutive | combinations] [closer]`
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// How often.
    pub quantifier: Quantifier,
    /// How repeats follow each other; `None` is as by `then`.
    pub contiguity: Option<(LoopContiguity, Span)>,
    /// When the loop is complete.
    pub closer: Option<Closer>,
    /// The whole loop.
    pub span: Span,
}

/// `+ * ? {n} {n,} {n,m}`, with a trailing `?` when reluctant.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantifier {
    /// How it is written.
    pub form: QuantifierForm,
    /// True with the trailing `?`.
    pub reluctant: bool,
    /// Its place.
    pub span: Span,
}

/// How a quantifier is written.
#[derive(Clone, Debug, PartialEq)]
pub enum QuantifierForm {
    /// `+`
    Plus,
    /// `*`
    Star,
    /// `?`
    Optional,
    /// `{n}`
    Exactly(Count),
    /// `{n,}`
    AtLeast(Count),
    /// `{n,m}`
    Between(Count, Count),
}

/// How the repeats of a loop follow each other when not as by `then`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopContiguity {
    /// `consecutive`: as by `next`
    Consecutive,
    /// `combinations`: as by `then any`
    Combinations,
}

/// A length of time or a number of events.
#[derive(Clone, Debug, PartialEq)]
pub enum Extent {
    /// `1m`
    Time(Duration),
    /// `100`
    Count(Count),
}

/// What completes a loop at the end of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Closer {
    /// Which one.
    pub kind: CloserKind,
    /// The whole closer.
    pub span: Span,
}

/// Which closer.
#[derive(Clone, Debug, PartialEq)]
pub enum CloserKind {
    /// `tumble 1m [tz "…"]`, `tumble 100`
    Tumble {
        /// Length of a window.
        size: Extent,
        /// Time zone of the boundaries.
        tz: Option<Text>,
    },
    /// `hop 5m every 30s [tz "…"]`, `hop 100 every 10`
    Hop {
        /// Length of a window.
        size: Extent,
        /// Distance between the starts of windows.
        every: Extent,
        /// Time zone of the boundaries.
        tz: Option<Text>,
    },
    /// `gap 30m`
    Gap(Duration),
    /// `for 10m`
    For(Duration),
}

/// `skip …`
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    /// Which policy.
    pub kind: SkipKind,
    /// The whole clause.
    pub span: Span,
}

/// What a match removes.
#[derive(Clone, Debug, PartialEq)]
pub enum SkipKind {
    /// `past match`
    PastMatch,
    /// `none`
    None,
    /// `to next`
    ToNext,
    /// `to x`
    To(Ident),
    /// `to last x`
    ToLast(Ident),
}

/// `limit N per D [by EXPR, …]`
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// How many.
    pub count: Count,
    /// In how long.
    pub per: Duration,
    /// Told apart by these besides the key.
    pub by: Vec<Expr>,
    /// The whole clause.
    pub span: Span,
}

/// `bound N evict oldest|newest`
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The most partial matches of a key.
    pub count: Count,
    /// Which one gives way.
    pub evict: Evict,
    /// The whole clause.
    pub span: Span,
}

/// Which partial match gives way when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evict {
    /// `oldest`
    Oldest,
    /// `newest`
    Newest,
}

/// `emit [each] NAME { … }` or `timeout NAME { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// When.
    pub kind: OutputKind,
    /// The stream.
    pub name: Ident,
    /// What a row holds.
    pub record: Record,
    /// The whole clause.
    pub span: Span,
}

/// When an output gets a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// `emit`: once per match
    Emit,
    /// `emit each`: once per bound event of a match
    EmitEach,
    /// `timeout`: once per start whose bound passed
    Timeout,
}

/// `{ a, b: EXPR, … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// In order; a bare name has no expression.
    pub fields: Vec<(Ident, Option<Expr>)>,
    /// Braces included.
    pub span: Span,
}

/// `test "…" { given { … } expect { … } }`
#[derive(Clone, Debug, PartialEq)]
pub struct TestDecl {
    /// What it shows.
    pub name: Text,
    /// Events in order of arrival (and rows of tables).
    pub given: Vec<TestRow>,
    /// Exactly the rows expected.
    pub expect: Vec<TestRow>,
    /// The whole declaration.
    pub span: Span,
}

/// `30s Txn { card: "c1" }`
#[derive(Clone, Debug, PartialEq)]
pub struct TestRow {
    /// Offset from the start of the test's clock.
    pub at: Duration,
    /// Event type, table or output.
    pub name: Ident,
    /// Its fields.
    pub record: Record,
    /// The whole row.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// What an expression is. Parentheses are not kept: the printer puts back those that are needed.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `12`
    Int(i64),
    /// `1.50`: decimal or float, as its surroundings want. The digits as written.
    Number(String),
    /// `"text"`
    Text(String),
    /// `1h30m`
    Duration(time::Span),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `name`
    Name(String),
    /// `x.f`
    Field(Box<Expr>, Ident),
    /// `Table[key]`
    Index(Box<Expr>, Box<Expr>),
    /// `f(a, b)`
    Call(Ident, Vec<Expr>),
    /// `-a`, `not a`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`, `a in b`, …
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Neg,
    Not,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    /// `a ?? b`
    Coalesce,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl BinaryOp {
    /// The operator as it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::In => "in",
            BinaryOp::NotIn => "not in",
            BinaryOp::Coalesce => "??",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
        }
    }
}
