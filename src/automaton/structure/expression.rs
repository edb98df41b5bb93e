//! Expressions in the description of a structure: what registers are computed from, and what `limit … by` tells apart.

use super::{Description, type_number};
use crate::event::EventTypeId;
use crate::event::codec::put_value;
use crate::lang::operands;
use crate::lang::pattern::{Expr, UnaryOp, VariableId};
use crate::wire::{put_bool, put_str};

impl Description<'_> {
    /// An expression: its number, what it names, and its operands. `bare`: the type whose fields it reads without naming a variable.
    pub(super) fn expression(&mut self, expr: &Expr, bare: Option<EventTypeId>) {
        let mut of_operands = bare;
        self.out.push(number(expr));
        match expr {
            Expr::Const(value) => put_value(&mut self.out, value),
            Expr::Field(field) => match bare {
                Some(ty) => self.field(ty, *field),
                None => self.uint(u64::from(field.0)),
            },
            Expr::EachField(fields) => {
                self.count(fields.len());
                for (ty, field) in fields {
                    let name = &self.program.schema.get(*ty).name;
                    put_str(&mut self.out, name);
                    self.field(*ty, *field);
                }
            }
            Expr::Bound(variable, field) => {
                let ty = self.variable(*variable);
                self.field(ty, *field);
            }
            Expr::Prev(variable, _) => of_operands = Some(self.variable(*variable)),
            Expr::Aggregate(aggregate) => {
                put_str(&mut self.out, aggregate.function.name());
                self.out.push(type_number(aggregate.argument_type));
                put_bool(&mut self.out, aggregate.includes_tested);
                of_operands = Some(self.variable(aggregate.variable));
            }
            Expr::Key(part) => self.count(*part),
            Expr::Lookup(table, _, field) => {
                let table = &self.program.tables[usize::from(table.0)];
                let column = &table.fields[usize::from(field.0)];
                put_str(&mut self.out, &table.name);
                put_str(&mut self.out, &column.name);
                self.out.push(type_number(column.ty));
            }
            Expr::Unary(op, _) => put_str(
                &mut self.out,
                match op {
                    UnaryOp::Neg => "-",
                    UnaryOp::Not => "not",
                },
            ),
            Expr::Binary(op, ..) => put_str(&mut self.out, op.symbol()),
            Expr::In { negated, .. } => put_bool(&mut self.out, *negated),
            Expr::Call(function, _) => put_str(&mut self.out, function.name()),
            Expr::Matches(_, regex) => put_str(&mut self.out, regex.0.as_str()),
            Expr::WholeKey
            | Expr::MatchStart
            | Expr::MatchEnd
            | Expr::WindowStart
            | Expr::WindowEnd
            | Expr::Reached => {}
        }
        let operands = operands(expr);
        self.count(operands.len());
        for operand in operands {
            self.expression(operand, of_operands);
        }
    }

    /// The steps of a variable; gives the type of their events.
    fn variable(&mut self, variable: VariableId) -> EventTypeId {
        let variable = &self.pattern.variables[usize::from(variable.0)];
        self.count(variable.steps.len());
        for step in &variable.steps {
            self.step(Some(*step));
        }
        variable.ty
    }
}

fn number(expr: &Expr) -> u8 {
    match expr {
        Expr::Const(_) => 0,
        Expr::Field(_) => 1,
        Expr::EachField(_) => 2,
        Expr::Bound(..) => 3,
        Expr::Prev(..) => 4,
        Expr::Aggregate(_) => 5,
        Expr::Key(_) => 6,
        Expr::WholeKey => 7,
        Expr::MatchStart => 8,
        Expr::MatchEnd => 9,
        Expr::WindowStart => 10,
        Expr::WindowEnd => 11,
        Expr::Reached => 12,
        Expr::Lookup(..) => 13,
        Expr::Unary(..) => 14,
        Expr::Binary(..) => 15,
        Expr::In { .. } => 16,
        Expr::Call(..) => 17,
        Expr::Matches(..) => 18,
    }
}
