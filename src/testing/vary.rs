//! Variants of a generated pattern: the same but for what their steps ask of an event by itself.
//!
//! The engine runs them as a family, with shared state; the reference matcher and an engine that runs one of them alone know nothing of that.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::choices::Choices;
use super::differential::{Subject, Verdict, shown_rows};
use super::{compile, generate};
use crate::engine::Shard;
use crate::event::{EventTypeId, FieldId, FieldType, Schema, Value};
use crate::lang::pattern::{BinaryOp, Expr, Pattern, PatternId, Program};

/// The program with variants of its first pattern beside it.
#[must_use]
pub fn varied(mut program: Program, choices: &mut Choices) -> Program {
    let original = program.patterns[0].clone();
    // Sets of variants are words of 64 bits.
    let count = *choices.weighted(&[(4, 1), (4, 2), (4, 5), (1, 9), (1, 70)]);
    for number in 1..=count {
        let mut variant = original.clone();
        variant.name = format!("{}_{number}", original.name);
        let emitted = variant.emits.iter_mut().map(|emit| &mut emit.stream);
        let timeout = variant
            .timeout
            .iter_mut()
            .map(|timeout| &mut timeout.stream);
        for stream in emitted.chain(timeout) {
            *stream = renamed(&mut program.schema, *stream, number);
        }
        ask_more(&mut variant, &program.schema, choices);
        let id = PatternId(u32::try_from(program.patterns.len()).expect("a few patterns"));
        program.patterns.push(variant);
        // After the original, and before what reads it.
        program.order.insert(number, id);
    }
    if choices.chance(1, 2) {
        ask_more(&mut program.patterns[0], &program.schema, choices);
    }
    program
}

/// A copy of the stream's type under another name.
fn renamed(schema: &mut Schema, stream: EventTypeId, number: usize) -> EventTypeId {
    let mut ty = schema.get(stream).clone();
    ty.name = format!("{}_{number}", ty.name);
    if let Some(known) = schema.find(&ty.name) {
        return known;
    }
    schema.types.push(ty);
    EventTypeId(u16::try_from(schema.types.len() - 1).expect("a few types"))
}

/// Gives steps a further condition on one field of their event.
fn ask_more(pattern: &mut Pattern, schema: &Schema, choices: &mut Choices) {
    for step in &mut pattern.steps {
        while choices.chance(1, 2) {
            let fields = &schema.get(step.ty).fields;
            let is_number =
                |ty| matches!(ty, FieldType::Int | FieldType::Decimal | FieldType::Float);
            let numbers = (0..fields.len()).filter(|at| is_number(fields[*at].ty));
            let numbers: Vec<usize> = numbers.collect();
            if numbers.is_empty() {
                break;
            }
            let at = *choices.pick(&numbers);
            let more = asked(
                FieldId(u16::try_from(at).expect("a few fields")),
                fields[at].ty,
                choices,
            );
            step.condition = Some(match step.condition.take() {
                Some(condition) if choices.chance(1, 2) => and(more, condition),
                Some(condition) => and(condition, more),
                None => more,
            });
        }
    }
}

fn and(a: Expr, b: Expr) -> Expr {
    Expr::Binary(BinaryOp::And, Box::new(a), Box::new(b))
}

/// A condition on a field of numbers.
fn asked(field: FieldId, ty: FieldType, choices: &mut Choices) -> Expr {
    use BinaryOp as B;
    let constant = |choices: &mut Choices| {
        let n = choices.below(5) as i64;
        match ty {
            FieldType::Float if choices.chance(3, 4) => Value::Float(n as f64 / 4.0 - 0.5),
            FieldType::Decimal if choices.chance(3, 4) => Value::Decimal(Decimal::new(n * 25, 2)),
            FieldType::Int if choices.chance(1, 8) => Value::Decimal(Decimal::new(n * 10, 1)),
            FieldType::Int if choices.chance(1, 8) => Value::Float(n as f64),
            _ => Value::Int(n),
        }
    };
    let read = || Box::new(Expr::Field(field));
    if choices.chance(1, 5) {
        let list = (0..choices.below(8)).map(|_| Expr::Const(constant(choices)));
        return Expr::In {
            needle: read(),
            list: list.collect(),
            negated: choices.chance(1, 4),
        };
    }
    let ops = [
        (3, B::Ge),
        (3, B::Lt),
        (2, B::Le),
        (2, B::Gt),
        (3, B::Eq),
        (1, B::Ne),
    ];
    let op = *choices.weighted(&ops);
    let constant = Box::new(Expr::Const(constant(choices)));
    let comparison = match choices.chance(1, 4) {
        true => Expr::Binary(op, constant, read()),
        false => Expr::Binary(op, read(), constant),
    };
    match choices.chance(1, 8) {
        true => Expr::Binary(
            B::Or,
            Box::new(comparison),
            Box::new(asked(field, ty, choices)),
        ),
        false => comparison,
    }
}

/// Judges variants of a pattern file against the reference, and against engines that run one of them each: those make the same rows to the last bit.
#[must_use]
pub fn judge(text: &str, of_variants: &mut Choices, of_events: &mut Choices) -> Verdict {
    let Ok(program) = compile(text) else {
        return Verdict::Discarded;
    };
    let program = varied(program, of_variants);
    let (_, tables) = generate::tables(&program);
    let subject = match Subject::of(program.clone()) {
        Ok(subject) => subject,
        Err(error) => return Verdict::Different(error),
    };
    let (events, end) = subject.case(of_events);
    let verdict = match subject.wanted(&events, end) {
        Some(wanted) => {
            let each = events.iter().map(|event| event.time).collect();
            subject.compare(&events, end, &wanted, &[Vec::new(), each])
        }
        None => return Verdict::Discarded,
    };
    if !matches!(verdict, Verdict::Same(_)) {
        return verdict;
    }
    let run = |order: Vec<PatternId>| {
        let program = Program {
            order,
            ..program.clone()
        };
        let mut rows = Vec::new();
        let mut engine = Shard::alone(Arc::new(program), &tables)
            .expect("each pattern has an automaton: together they ran");
        engine.advance(&events, end, &mut rows);
        let tallies = engine.tallies();
        let partials = engine.partials();
        (rows, tallies, partials)
    };
    let (together, tallies, partials) = run(program.order.clone());
    for at in 0..program.patterns.len() {
        let id = PatternId(at as u32);
        if reads_streams(&program, id) {
            continue;
        }
        let (alone, alone_tallies, alone_partials) = run(vec![id]);
        let of_it = together.iter().filter(|row| row.pattern == id);
        let rows: Vec<_> = of_it.cloned().collect();
        let counts = (tallies[at], &partials[at]) == (alone_tallies[at], &alone_partials[at]);
        if rows != alone || !counts {
            let mut how = format!(
                "pattern {at} in a family, {:?} {:?}:\n",
                tallies[at], partials[at]
            );
            shown_rows(&mut how, &program, &rows);
            how.push_str(&format!(
                "alone, {:?} {:?}:\n",
                alone_tallies[at], alone_partials[at]
            ));
            shown_rows(&mut how, &program, &alone);
            return Verdict::Different(how);
        }
    }
    verdict
}

fn reads_streams(program: &Program, id: PatternId) -> bool {
    let streams = program.patterns.iter().flat_map(|pattern| &pattern.emits);
    let streams: Vec<EventTypeId> = streams.map(|emit| emit.stream).collect();
    let mut inputs = program.patterns[id.0 as usize].inputs.iter();
    inputs.any(|input| streams.contains(&input.ty))
}
