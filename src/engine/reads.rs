//! Which fields of which events some pattern reads: nothing else is worth decoding.

use crate::event::formats::Projection;
use crate::event::{EventTypeId, FieldId, Schema};
use crate::lang::pattern::{Expr, Pattern, Program, StepRole, VariableId};

/// What the patterns of a program read.
#[must_use]
pub fn projection(program: &Program) -> Projection {
    let mut projection = Projection::none(&program.schema);
    for pattern in &program.patterns {
        let mut reads = Reads {
            schema: &program.schema,
            pattern,
            projection: &mut projection,
        };
        reads.pattern();
    }
    projection
}

/// The walk through the expressions of one pattern.
struct Reads<'a> {
    schema: &'a Schema,
    pattern: &'a Pattern,
    projection: &'a mut Projection,
}

impl Reads<'_> {
    fn pattern(&mut self) {
        let pattern = self.pattern;
        for input in &pattern.inputs {
            self.projection.want(self.schema, input.ty);
            for &field in &input.key {
                self.read(input.ty, field);
            }
        }
        for step in &pattern.steps {
            self.projection.want(self.schema, step.ty);
            if let Some(condition) = &step.condition {
                self.expression(condition, &[step.ty]);
            }
        }
        // A bare field in an output is one of `emit each`: of any event that was bound.
        let positive = pattern
            .steps
            .iter()
            .filter(|step| step.role == StepRole::Positive);
        let bound: Vec<EventTypeId> = positive.map(|step| step.ty).collect();
        let emits = pattern.emits.iter().flat_map(|emit| &emit.fields);
        let timeout = pattern.timeout.iter().flat_map(|timeout| &timeout.fields);
        let limits = pattern.limit.iter().flat_map(|limit| &limit.by);
        for expr in emits.chain(timeout).chain(limits).chain(&pattern.having) {
            self.expression(expr, &bound);
        }
    }

    /// `bare`: the types that a bare field may be of.
    fn expression(&mut self, expr: &Expr, bare: &[EventTypeId]) {
        match expr {
            Expr::Field(field) => bare.iter().for_each(|&ty| self.read(ty, *field)),
            Expr::EachField(fields) => fields.iter().for_each(|&(ty, field)| self.read(ty, field)),
            Expr::Bound(variable, field) => {
                let ty = self.type_of(*variable);
                self.read(ty, *field);
            }
            Expr::Prev(variable, inner) => {
                let ty = self.type_of(*variable);
                self.expression(inner, &[ty]);
            }
            Expr::Aggregate(aggregate) => {
                let ty = self.type_of(aggregate.variable);
                self.expression(&aggregate.argument, &[ty]);
            }
            Expr::Lookup(_, inner, _) | Expr::Unary(_, inner) | Expr::Matches(inner, _) => {
                self.expression(inner, bare);
            }
            Expr::Binary(_, left, right) => {
                self.expression(left, bare);
                self.expression(right, bare);
            }
            Expr::In { needle, list, .. } => {
                self.expression(needle, bare);
                list.iter().for_each(|item| self.expression(item, bare));
            }
            Expr::Call(_, args) => args.iter().for_each(|arg| self.expression(arg, bare)),
            Expr::Const(_)
            | Expr::Key(_)
            | Expr::WholeKey
            | Expr::MatchStart
            | Expr::MatchEnd
            | Expr::WindowStart
            | Expr::WindowEnd
            | Expr::Reached => {}
        }
    }

    fn type_of(&self, variable: VariableId) -> EventTypeId {
        self.pattern.variables[usize::from(variable.0)].ty
    }

    fn read(&mut self, ty: EventTypeId, field: FieldId) {
        // `emit each` over several types names fields that not each of them has.
        if usize::from(field.0) < self.schema.get(ty).fields.len() {
            self.projection.read(self.schema, ty, field);
        }
    }
}
