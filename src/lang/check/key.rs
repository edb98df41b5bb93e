//! The key: which field of each input tells a pattern's events apart.

use super::catalog::Catalog;
use super::declare;
use super::outline::KeyName;
use super::report::{Place, Report, listed};
use super::sequence::event_type;
use super::ty::{self, Ty};
use crate::event::{EventTypeId, FieldId};
use crate::lang::ast;
use crate::lang::pattern::Input;
use crate::lang::span::FileId;

/// The most parts of a key.
const PARTS_MAX: usize = 16;

/// An event type that a pattern reads, with the place that says so first.
pub(super) type Read = (EventTypeId, Place);

/// What a pattern reads, and by which parts its events are told apart.
pub(super) struct Keyed {
    pub inputs: Vec<Input>,
    pub parts: Vec<KeyName>,
}

/// Finds the field of every part in every input.
pub(super) fn check(
    catalog: &Catalog,
    report: &mut Report,
    file: FileId,
    key: &ast::Key,
    reads: &[Read],
) -> Keyed {
    let mut inputs: Vec<Input> = reads
        .iter()
        .map(|(ty, _)| Input {
            ty: *ty,
            key: Vec::new(),
        })
        .collect();
    let mut parts: Vec<KeyName> = Vec::new();
    let ast::Key::Parts(written, _) = key else {
        return Keyed { inputs, parts };
    };
    for part in written {
        let place = Place::new(file, part.name.span);
        if parts.len() >= PARTS_MAX {
            declare::too_many(report, place, "parts of a key", PARTS_MAX);
            break;
        }
        let name = &part.name.name;
        if parts.iter().any(|known| known.name == *name) {
            report
                .add(
                    "E066",
                    place,
                    format!("the key has two parts named `{name}`"),
                    "given again",
                )
                .help("remove one of them");
            continue;
        }
        let fields = fields(catalog, report, file, part, reads);
        let ty = agreed(catalog, report, name, &fields);
        for (input, found) in inputs.iter_mut().zip(&fields) {
            input.key.push(found.map_or(FieldId(0), |(id, _)| id));
        }
        parts.push(KeyName {
            name: name.clone(),
            ty,
        });
    }
    Keyed { inputs, parts }
}

/// The field of each input with the place that names it.
fn fields(
    catalog: &Catalog,
    report: &mut Report,
    file: FileId,
    part: &ast::KeyPart,
    reads: &[Read],
) -> Vec<Option<(FieldId, Found)>> {
    if part.aliases.is_empty() {
        return plain(catalog, report, file, part, reads);
    }
    let mut found: Vec<Option<(FieldId, Found)>> = vec![None; reads.len()];
    let mut mistaken = false;
    for (event, field) in &part.aliases {
        let place = Place::new(file, event.span);
        let Some(id) = event_type(catalog, report, place, &event.name) else {
            mistaken = true;
            continue;
        };
        let Some(at) = reads.iter().position(|(ty, _)| *ty == id) else {
            mistaken = true;
            report
                .add(
                    "E071",
                    place,
                    format!("this pattern does not read `{}`", event.name),
                    "no input of the pattern",
                )
                .help(
                    "remove it from the key, or add it to `from` if its events count as in between",
                );
            continue;
        };
        let entry = catalog.ty(id);
        match entry.fields.find(&field.name) {
            Some(at_field) => {
                found[at] = Some((
                    at_field,
                    Found {
                        ty: id,
                        place: Place::new(file, field.span),
                    },
                ))
            }
            None if entry.is_vague() => mistaken = true,
            None => {
                mistaken = true;
                let near = report.suggestion(&field.name, entry.fields.names());
                report
                    .add(
                        "E056",
                        Place::new(file, field.span),
                        format!("event `{}` has no field `{}`", entry.name, field.name),
                        "unknown field",
                    )
                    .also(entry.place, "declared here")
                    .help_maybe(near)
                    .help(format!(
                        "its fields are {}",
                        listed(entry.fields.names(), 12)
                    ));
            }
        }
    }
    for ((ty, read), found) in reads.iter().zip(&found) {
        if found.is_none() && !mistaken {
            let name = &catalog.ty(*ty).name;
            report
                .add(
                    "E071",
                    Place::new(file, part.name.span),
                    format!("the key part `{}` leaves out `{name}`", part.name.name),
                    format!("no field of `{name}`"),
                )
                .also(*read, "read here")
                .help(format!("add `| {name}.` and the field that holds it"));
        }
    }
    found
}

/// A field with the event type it is of, and the place to speak of.
#[derive(Clone, Copy)]
pub(super) struct Found {
    ty: EventTypeId,
    place: Place,
}

fn plain(
    catalog: &Catalog,
    report: &mut Report,
    file: FileId,
    part: &ast::KeyPart,
    reads: &[Read],
) -> Vec<Option<(FieldId, Found)>> {
    let place = Place::new(file, part.name.span);
    let name = &part.name.name;
    let mut found = Vec::with_capacity(reads.len());
    let mut missing = Vec::new();
    for (ty, read) in reads {
        let entry = catalog.ty(*ty);
        let id = entry.fields.find(name);
        if id.is_none() && !entry.is_vague() {
            missing.push((entry, *read));
        }
        found.push(id.map(|id| (id, Found { ty: *ty, place })));
    }
    if let Some((entry, read)) = missing.first() {
        let near = report.suggestion(name, entry.fields.names());
        let others: Vec<String> = reads
            .iter()
            .map(|(ty, _)| catalog.ty(*ty))
            .map(|other| {
                format!(
                    "{}.{}",
                    other.name,
                    if other.fields.find(name).is_some() {
                        name
                    } else {
                        "…"
                    }
                )
            })
            .collect();
        let draft = report
            .add(
                "E068",
                place,
                format!(
                    "event `{}` has no field `{name}` to be told apart by",
                    entry.name
                ),
                format!("not in `{}`", entry.name),
            )
            .also(*read, "read here")
            .help_maybe(near);
        let draft = if reads.len() > 1 {
            draft.help(format!(
                "if it is called otherwise there, name it: `key {name} = {}`",
                others.join(" | ")
            ))
        } else {
            draft.help(format!(
                "its fields are {}",
                listed(entry.fields.names(), 12)
            ))
        };
        draft.help("write `unkeyed` if all events belong together");
    }
    found
}

/// The type of a part: that of the field in every input.
fn agreed(
    catalog: &Catalog,
    report: &mut Report,
    name: &str,
    fields: &[Option<(FieldId, Found)>],
) -> Ty {
    let mut first: Option<(Ty, EventTypeId, Place)> = None;
    for (field, at) in fields.iter().flatten() {
        let known = catalog.ty(at.ty).fields.get(*field);
        if known.ty == Ty::Unknown {
            return Ty::Unknown;
        }
        if matches!(known.ty, ty::FLOAT | ty::LIST) {
            report
                .add(
                    "E070",
                    at.place,
                    format!(
                        "field `{name}` of type {} cannot be part of a key",
                        known.ty
                    ),
                    "values of this type are hardly ever equal",
                )
                .also(known.place, "declared here")
                .help("use an int, decimal, string, bool, timestamp or duration");
            return Ty::Unknown;
        }
        match first {
            None => first = Some((known.ty, at.ty, known.place)),
            Some((ty, other, declared)) if ty != known.ty => {
                let (one, two) = (&catalog.ty(other).name, &catalog.ty(at.ty).name);
                report
                    .add(
                        "E069",
                        at.place,
                        format!(
                            "the key part `{name}` is {ty} in `{one}` and {} in `{two}`",
                            known.ty
                        ),
                        "can never be equal",
                    )
                    .also(declared, format!("{ty} here"))
                    .also(known.place, format!("{} here", known.ty))
                    .help("declare both fields with the same type");
                return Ty::Unknown;
            }
            Some(_) => {}
        }
    }
    first.map_or(Ty::Unknown, |(ty, ..)| ty)
}
