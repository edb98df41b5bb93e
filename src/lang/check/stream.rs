//! Streams: what patterns emit and other patterns read.
//!
//! Names come first, since a pattern may read what a later one emits; fields come with the pattern that emits them, so
//! patterns are checked in the order in which they feed each other.

use std::collections::HashMap;

use super::catalog::{Catalog, FieldEntry, Fields, Origin, RESERVED, TypeEntry};
use super::circle;
use super::declare::{self, FIELDS_MAX, TYPES_MAX};
use super::function::round;
use super::report::{Place, Report};
use super::ty::Ty;
use crate::event::{EventTypeId, FieldType};
use crate::lang::ast::{self, PatternDecl, StepKind};
use crate::lang::span::FileId;

/// A pattern with its file.
pub(super) type Declared<'a> = (FileId, &'a PatternDecl);

/// Gives every stream that is emitted an event type without fields.
pub(super) fn names(catalog: &mut Catalog, report: &mut Report, patterns: &[Declared<'_>]) {
    for (file, pattern) in patterns {
        for output in &pattern.outputs {
            let place = Place::new(*file, output.name.span);
            let name = &output.name.name;
            if RESERVED.contains(&name.as_str()) {
                declare::reserved(report, place, name);
                continue;
            }
            if let Some(id) = catalog.find_type(name) {
                let entry = catalog.ty(id);
                if entry.origin == Origin::Declared {
                    report
                        .add("E050", place, format!("`{name}` is an event, so no pattern can emit it"), "emitted here")
                        .also(entry.place, "declared as an event here")
                        .help("choose another name for the output; patterns can read it like an event");
                }
                continue;
            }
            if catalog.types.len() >= TYPES_MAX {
                declare::too_many(report, place, "event types", TYPES_MAX);
                return;
            }
            let id = EventTypeId(u16::try_from(catalog.types.len()).unwrap_or(u16::MAX));
            catalog.type_ids.insert(name.clone(), id);
            catalog.types.push(TypeEntry {
                name: name.clone(),
                fields: Fields::default(),
                time: None,
                place,
                origin: Origin::Emitted { known: false },
            });
        }
    }
}

/// Numbers of patterns, each after those whose streams it reads, and which of them stand in a circle.
pub(super) fn order(report: &mut Report, patterns: &[Declared<'_>]) -> (Vec<usize>, Vec<bool>) {
    // Streams stand between patterns, so that many readers of many emitters cost their sum and not their product.
    let mut streams: HashMap<&str, usize> = HashMap::new();
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); patterns.len()];
    for (at, (_, pattern)) in patterns.iter().enumerate() {
        for output in &pattern.outputs {
            let stream = *streams.entry(&output.name.name).or_insert(needs.len());
            if stream == needs.len() {
                needs.push(Vec::new());
            }
            needs[stream].push(at);
        }
    }
    for (at, (_, pattern)) in patterns.iter().enumerate() {
        let read = types_read(pattern);
        let mut read: Vec<usize> = read
            .into_iter()
            .filter_map(|event| streams.get(event.name.as_str()).copied())
            .collect();
        read.sort_unstable();
        read.dedup();
        needs[at] = read;
    }
    let (mut order, mut circles) = circle::sort(&needs);
    order.retain(|at| *at < patterns.len());
    for circle in &mut circles {
        circle.retain(|at| *at < patterns.len());
    }
    let mut circular = vec![false; patterns.len()];
    for circle in circles {
        for at in &circle {
            circular[*at] = true;
        }
        let names: Vec<&str> = circle
            .iter()
            .map(|at| patterns[*at].1.name.name.as_str())
            .collect();
        let (file, pattern) = patterns[circle[0]];
        let told = match names.as_slice() {
            [one] => format!("pattern `{one}` reads what it emits"),
            _ => format!("patterns feed each other in a circle: {}", round(&names)),
        };
        let draft = report
            .add(
                "E072",
                Place::new(file, pattern.name.span),
                told,
                "reads what depends on it",
            )
            .help("let one of them read events instead of streams, or emit under another name");
        circle[1..].iter().take(10).fold(draft, |draft, at| {
            let (file, pattern) = patterns[*at];
            draft.also(Place::new(file, pattern.name.span), "part of the circle")
        });
    }
    (order, circular)
}

/// Every event type that a pattern names: in `from`, steps, negations and `until`.
pub(super) fn types_read(pattern: &PatternDecl) -> Vec<&ast::Ident> {
    let mut found: Vec<&ast::Ident> = pattern.from.iter().collect();
    let mut rest = vec![&pattern.sequence];
    while let Some(sequence) = rest.pop() {
        let steps =
            std::iter::once(&*sequence.first).chain(sequence.rest.iter().map(|(_, step)| step));
        for step in steps {
            match &step.kind {
                StepKind::Not { atom, .. } | StepKind::Atom { atom, .. } => {
                    found.push(&atom.event);
                    found.extend(atom.until.as_ref().map(|until| &until.event));
                }
                StepKind::Group { alternatives, .. } => rest.extend(alternatives),
                StepKind::All(members) => rest.extend(members),
            }
        }
    }
    found
}

/// Takes in the fields of an output. Every output of a stream has the same ones.
pub(super) fn fields(
    catalog: &mut Catalog,
    report: &mut Report,
    place: Place,
    stream: EventTypeId,
    fields: &[(ast::Ident, Ty)],
) {
    let entry = catalog.ty_mut(stream);
    if fields.len() > FIELDS_MAX {
        declare::too_many(report, place, "fields", FIELDS_MAX);
        return;
    }
    if entry.origin == (Origin::Emitted { known: false }) {
        for (name, ty) in fields {
            // A field given twice has been reported by then.
            let _ = entry.fields.add(FieldEntry {
                name: name.name.clone(),
                ty: *ty,
                declared: ty.settled().unwrap_or(FieldType::String),
                optional: true,
                path: vec![name.name.clone()],
                place: Place::new(place.file, name.span),
            });
        }
        entry.origin = Origin::Emitted { known: true };
        entry.place = place;
        return;
    }
    if entry.origin == Origin::Declared {
        return;
    }
    let told = |fields: &mut dyn Iterator<Item = (&str, Ty)>| {
        let shown: Vec<String> = fields
            .take(12)
            .map(|(name, ty)| format!("{name}: {ty}"))
            .collect();
        format!("{{ {} }}", shown.join(", "))
    };
    let same_names = entry
        .fields
        .names()
        .eq(fields.iter().map(|(name, _)| name.name.as_str()));
    let same_types = entry
        .fields
        .list
        .iter()
        .zip(fields)
        .all(|(known, (_, ty))| known.ty == *ty || known.ty == Ty::Unknown || *ty == Ty::Unknown);
    if same_names && same_types {
        return;
    }
    let here = told(&mut fields.iter().map(|(name, ty)| (name.name.as_str(), *ty)));
    let there = told(
        &mut entry
            .fields
            .list
            .iter()
            .map(|field| (field.name.as_str(), field.ty)),
    );
    report
        .add(
            "E073",
            place,
            format!(
                "the stream `{}` is emitted with different fields",
                entry.name
            ),
            here,
        )
        .also(entry.place, there)
        .help("give the same fields of the same types in the same order, or emit another stream");
}
