//! Prints checked expressions as patterns write them.
//!
//! What is printed is what runs: functions are inlined and parameters are constants, so it may differ from the file.

use leitmotif::event::{EventTypeId, FieldId};
use leitmotif::lang::pattern::{
    Aggregate, AggregateFunction, BinaryOp, Expr, Pattern, Program, TableId, UnaryOp, VariableId,
};
use leitmotif::lang::print::quoted;

use crate::cli::literal::{self, Clock};

/// What gives the numbers in an expression their names.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The program.
    pub program: &'a Program,
    /// The pattern that the expression stands in.
    pub pattern: &'a Pattern,
    /// The type of the event that bare fields are of.
    pub ty: EventTypeId,
}

/// How tightly an expression holds together; looser ones inside tighter ones need parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Or,
    And,
    Not,
    Compare,
    Coalesce,
    Add,
    Multiply,
    Negate,
    Atom,
}

impl Strength {
    fn tighter(self) -> Strength {
        match self {
            Strength::Or => Strength::And,
            Strength::And => Strength::Not,
            Strength::Not => Strength::Compare,
            Strength::Compare => Strength::Coalesce,
            Strength::Coalesce => Strength::Add,
            Strength::Add => Strength::Multiply,
            Strength::Multiply => Strength::Negate,
            Strength::Negate | Strength::Atom => Strength::Atom,
        }
    }
}

impl Names<'_> {
    /// The expression as text.
    pub fn show(self, expr: &Expr) -> String {
        self.at(expr, Strength::Or, "")
    }

    /// The name of a field of the bare event.
    fn field(self, ty: EventTypeId, field: FieldId) -> String {
        let ty = self.program.schema.get(ty);
        name_of(ty.fields.get(usize::from(field.0)).map(|f| f.name.as_str()))
    }

    fn variable(self, id: VariableId) -> String {
        let variable = self.pattern.variables.get(usize::from(id.0));
        name_of(variable.map(|v| v.name.as_str()))
    }

    fn at(self, expr: &Expr, least: Strength, prefix: &str) -> String {
        let (strength, text) = self.bare(expr, prefix);
        if strength < least {
            format!("({text})")
        } else {
            text
        }
    }

    /// `prefix` stands before bare fields: `x.` inside an aggregate over x.
    fn bare(self, expr: &Expr, prefix: &str) -> (Strength, String) {
        let atom = |text: String| (Strength::Atom, text);
        match expr {
            Expr::Const(value) => atom(literal::show(value, Clock::Calendar)),
            Expr::Field(field) => atom(format!("{prefix}{}", self.field(self.ty, *field))),
            Expr::EachField(fields) => match fields.first() {
                Some(&(ty, field)) => atom(self.field(ty, field)),
                None => atom("null".to_owned()),
            },
            Expr::Bound(variable, field) => {
                let ty = self.variable_type(*variable);
                atom(format!(
                    "{}.{}",
                    self.variable(*variable),
                    self.field(ty, *field)
                ))
            }
            Expr::Prev(_, argument) => {
                atom(format!("prev({})", self.at(argument, Strength::Or, "")))
            }
            Expr::Aggregate(aggregate) => atom(self.aggregate(aggregate)),
            Expr::Key(part) => atom(name_of(self.pattern.key.get(*part).map(String::as_str))),
            Expr::WholeKey => atom("key()".to_owned()),
            Expr::MatchStart => atom("match_start()".to_owned()),
            Expr::MatchEnd => atom("match_end()".to_owned()),
            Expr::WindowStart => atom("window_start()".to_owned()),
            Expr::WindowEnd => atom("window_end()".to_owned()),
            Expr::Reached => atom("reached()".to_owned()),
            Expr::Lookup(table, key, column) => {
                let (name, field) = self.column(*table, *column);
                atom(format!(
                    "{name}[{}].{field}",
                    self.at(key, Strength::Or, prefix)
                ))
            }
            Expr::Unary(UnaryOp::Neg, inner) => (
                Strength::Negate,
                format!("-{}", self.at(inner, Strength::Negate, prefix)),
            ),
            Expr::Unary(UnaryOp::Not, inner) => (
                Strength::Not,
                format!("not {}", self.at(inner, Strength::Not, prefix)),
            ),
            Expr::Binary(op, left, right) => self.binary(*op, left, right, prefix),
            Expr::In {
                needle,
                list,
                negated,
            } => {
                let word = if *negated { "not in" } else { "in" };
                let needle = self.at(needle, Strength::Coalesce, prefix);
                (
                    Strength::Compare,
                    format!("{needle} {word} [{}]", self.list(list, prefix)),
                )
            }
            Expr::Call(function, args) => {
                atom(format!("{}({})", function.name(), self.list(args, prefix)))
            }
            Expr::Matches(text, regex) => atom(format!(
                "matches({}, {})",
                self.at(text, Strength::Or, prefix),
                quoted(regex.0.as_str())
            )),
        }
    }

    fn binary(self, op: BinaryOp, left: &Expr, right: &Expr, prefix: &str) -> (Strength, String) {
        let (word, strength) = operator(op);
        // Comparisons don't chain; `??` and arithmetic group to the left.
        let left_least = if strength == Strength::Compare {
            strength.tighter()
        } else {
            strength
        };
        let left = self.at(left, left_least, prefix);
        let right = self.at(right, strength.tighter(), prefix);
        (strength, format!("{left} {word} {right}"))
    }

    fn list(self, items: &[Expr], prefix: &str) -> String {
        let items: Vec<String> = items
            .iter()
            .map(|item| self.at(item, Strength::Or, prefix))
            .collect();
        items.join(", ")
    }

    fn aggregate(self, aggregate: &Aggregate) -> String {
        let name = aggregate.function.name();
        let variable = self.variable(aggregate.variable);
        if aggregate.function == AggregateFunction::Count {
            return format!("{name}({variable})");
        }
        let inside = Names {
            ty: self.variable_type(aggregate.variable),
            ..self
        };
        format!(
            "{name}({})",
            inside.at(&aggregate.argument, Strength::Or, &format!("{variable}."))
        )
    }

    fn variable_type(self, id: VariableId) -> EventTypeId {
        self.pattern
            .variables
            .get(usize::from(id.0))
            .map_or(self.ty, |v| v.ty)
    }

    fn column(self, table: TableId, column: FieldId) -> (String, String) {
        let table = self.program.tables.get(usize::from(table.0));
        let field = table.and_then(|t| t.fields.get(usize::from(column.0)));
        (
            name_of(table.map(|t| t.name.as_str())),
            name_of(field.map(|f| f.name.as_str())),
        )
    }
}

/// A checked program has a name for every number; a message is better than a panic should that ever fail.
fn name_of(name: Option<&str>) -> String {
    name.unwrap_or("<unnamed>").to_owned()
}

fn operator(op: BinaryOp) -> (&'static str, Strength) {
    match op {
        BinaryOp::Or => ("or", Strength::Or),
        BinaryOp::And => ("and", Strength::And),
        BinaryOp::Eq => ("==", Strength::Compare),
        BinaryOp::Ne => ("!=", Strength::Compare),
        BinaryOp::Lt => ("<", Strength::Compare),
        BinaryOp::Le => ("<=", Strength::Compare),
        BinaryOp::Gt => (">", Strength::Compare),
        BinaryOp::Ge => (">=", Strength::Compare),
        BinaryOp::In => ("in", Strength::Compare),
        BinaryOp::NotIn => ("not in", Strength::Compare),
        BinaryOp::Coalesce => ("??", Strength::Coalesce),
        BinaryOp::Add => ("+", Strength::Add),
        BinaryOp::Sub => ("-", Strength::Add),
        BinaryOp::Mul => ("*", Strength::Multiply),
        BinaryOp::Div => ("/", Strength::Multiply),
        BinaryOp::Rem => ("%", Strength::Multiply),
    }
}
