//! Event types and tables: what fields there are.

use super::catalog::{Catalog, FieldEntry, Fields, Origin, RESERVED, TableEntry, TypeEntry};
use super::report::{Place, Report};
use super::ty::{self, Ty};
use crate::event::schema::TimeUnit;
use crate::event::{EventTypeId, FieldId, FieldType};
use crate::lang::ast;
use crate::lang::pattern::TableId;
use crate::lang::span::FileId;
use std::cell::Cell;

/// The most fields of an event type, a table or an output.
pub(super) const FIELDS_MAX: usize = 1_000;

/// The most event types, streams included, and the most tables of a program.
pub(super) const TYPES_MAX: usize = 10_000;

/// Takes in one event declaration. Several files may declare the same event: its fields add up.
pub(super) fn event(
    catalog: &mut Catalog,
    report: &mut Report,
    file: FileId,
    decl: &ast::EventDecl,
) {
    let place = Place::new(file, decl.name.span);
    let name = &decl.name.name;
    if RESERVED.contains(&name.as_str()) {
        reserved(report, place, name);
        return;
    }
    let (fields, time) = fields(report, file, &decl.fields, place, Owner::Event);
    if let Some(id) = catalog.find_type(name) {
        merge(catalog.ty_mut(id), report, place, fields, time);
        return;
    }
    if catalog.types.len() >= TYPES_MAX {
        too_many(report, place, "event types", TYPES_MAX);
        return;
    }
    let id = EventTypeId(u16::try_from(catalog.types.len()).unwrap_or(u16::MAX));
    catalog.type_ids.insert(name.clone(), id);
    catalog.types.push(TypeEntry {
        name: name.clone(),
        fields,
        time,
        place,
        origin: Origin::Declared,
    });
}

/// Says that a name belongs to the engine.
pub(super) fn reserved(report: &mut Report, place: Place, name: &str) {
    report
        .add(
            "E054",
            place,
            format!("the name `{name}` is taken by an output of the engine itself"),
            "reserved",
        )
        .help("choose another name; `late`, `malformed` and `evicted` exist in every run");
}

/// Says that there are too many of something.
pub(super) fn too_many(report: &mut Report, place: Place, what: &str, max: usize) {
    report
        .add(
            "E076",
            place,
            format!("more than {max} {what}"),
            "one too many",
        )
        .help(format!(
            "leave out what no pattern reads, or split the files: a run takes up to {max} {what}"
        ));
}

/// A second declaration of the same event in another file.
fn merge(
    entry: &mut TypeEntry,
    report: &mut Report,
    place: Place,
    fields: Fields,
    time: Option<FieldId>,
) {
    if entry.place.file == place.file {
        report
            .add(
                "E050",
                place,
                format!("event `{}` is declared twice in this file", entry.name),
                "declared again",
            )
            .also(entry.place, "first declared here")
            .help("keep one declaration with all fields");
        return;
    }
    for (at, field) in fields.list.into_iter().enumerate() {
        let is_time = time.is_some_and(|time| usize::from(time.0) == at);
        let field_place = field.place;
        let Some(first) = entry.fields.find(&field.name) else {
            let name = field.name.clone();
            let Ok(id) = entry.fields.add(field) else {
                continue;
            };
            if is_time && let Some(time) = entry.time {
                let other = entry.fields.get(time);
                report
                    .add(
                        "E051",
                        field_place,
                        format!(
                            "two declarations of event `{}` mark different fields as `time`",
                            entry.name
                        ),
                        format!("`{name}` is the time here"),
                    )
                    .also(other.place, format!("`{}` is the time here", other.name))
                    .help("mark the same field in all files");
            } else if is_time {
                entry.time = Some(id);
            }
            continue;
        };
        let was_time = entry.time == Some(first);
        let known = entry.fields.get(first);
        let agree = known.declared == field.declared
            && known.optional == field.optional
            && known.path == field.path
            && was_time == is_time;
        if !agree && known.ty != Ty::Unknown && field.ty != Ty::Unknown {
            report
                .add(
                    "E051",
                    field_place,
                    format!(
                        "field `{}` of event `{}` is declared differently in another file",
                        field.name, entry.name
                    ),
                    "differs",
                )
                .also(known.place, "from what is declared here")
                .help("type, `?`, `time` and `from` of a field must be the same in all files of a run");
        }
    }
}

/// Takes in one table declaration.
pub(super) fn table(
    catalog: &mut Catalog,
    report: &mut Report,
    file: FileId,
    decl: &ast::TableDecl,
) {
    let place = Place::new(file, decl.name.span);
    let name = &decl.name.name;
    if let Some(first) = catalog.file(file).tables.get(name) {
        let first = catalog.table(*first).place;
        duplicate(report, place, "table", name, first);
        return;
    }
    if catalog.tables.len() >= TYPES_MAX {
        too_many(report, place, "tables", TYPES_MAX);
        return;
    }
    let (fields, _) = fields(report, file, &decl.fields, place, Owner::Table);
    let key = fields.find(&decl.key.name);
    match key {
        None => {
            let near = report.suggestion(&decl.key.name, fields.names());
            report
                .add(
                    "E075",
                    Place::new(file, decl.key.span),
                    format!(
                        "table `{name}` has no column `{}` to look it up by",
                        decl.key.name
                    ),
                    "no such column",
                )
                .help_maybe(near)
                .help("write `key` and one of the columns after the closing brace");
        }
        Some(key) => {
            let column = fields.get(key);
            if column.optional || matches!(column.ty, ty::FLOAT | ty::BOOL) {
                report
                    .add(
                        "E075",
                        column.place,
                        format!("column `{}` cannot be the key of table `{name}`", column.name),
                        if column.optional { "may be absent" } else { "of a type without exact equality or with only two values" },
                    )
                    .help("a table is looked up by an int, decimal, string, timestamp or duration that every row has");
            }
        }
    }
    let id = TableId(u16::try_from(catalog.tables.len()).unwrap_or(u16::MAX));
    catalog.tables.push(TableEntry {
        name: name.clone(),
        fields,
        key,
        place,
        used: Cell::new(false),
    });
    catalog.file_mut(file).tables.insert(name.clone(), id);
}

/// Says that a name is declared twice.
pub(super) fn duplicate(report: &mut Report, place: Place, what: &str, name: &str, first: Place) {
    report
        .add(
            "E050",
            place,
            format!("{what} `{name}` is declared twice"),
            "declared again",
        )
        .also(first, "first declared here")
        .help("rename one of them");
}

/// What fields belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Event,
    Table,
}

fn fields(
    report: &mut Report,
    file: FileId,
    decls: &[ast::FieldDecl],
    owner_place: Place,
    owner: Owner,
) -> (Fields, Option<FieldId>) {
    let mut fields = Fields::default();
    let mut time: Option<FieldId> = None;
    let mut marked = false;
    for decl in decls {
        let place = Place::new(file, decl.name.span);
        if fields.list.len() >= FIELDS_MAX {
            too_many(report, place, "fields", FIELDS_MAX);
            break;
        }
        let (ty, declared) = reference(report, file, &decl.ty);
        let entry = FieldEntry {
            name: decl.name.name.clone(),
            ty,
            declared,
            optional: decl.ty.optional,
            path: path(report, file, decl),
            place,
        };
        let id = match fields.add(entry) {
            Ok(id) => id,
            Err(first) => {
                report
                    .add(
                        "E066",
                        place,
                        format!("field `{}` is given twice", decl.name.name),
                        "given again",
                    )
                    .also(fields.get(first).place, "first given here")
                    .help("rename or remove one of them");
                continue;
            }
        };
        if let Some(word) = decl.time {
            marked = true;
            if check_time(
                report,
                file,
                decl,
                word,
                ty,
                owner,
                time.map(|first| fields.get(first).place),
            ) {
                time = Some(id);
            }
        }
    }
    if owner == Owner::Event && !marked {
        report
            .add(
                "E053",
                owner_place,
                "this event has no time",
                "no field is marked `time`",
            )
            .help("mark the timestamp that tells when it happened: `at: timestamp time`");
    }
    (fields, time)
}

/// True if the field may be the event's time.
fn check_time(
    report: &mut Report,
    file: FileId,
    decl: &ast::FieldDecl,
    word: crate::lang::span::Span,
    ty: Ty,
    owner: Owner,
    first: Option<Place>,
) -> bool {
    let place = Place::new(file, word);
    if owner == Owner::Table {
        report
            .add("E053", place, "a row of a table has no time", "not here")
            .help("remove the word `time`; the column may still be a timestamp");
        return false;
    }
    if let Some(first) = first {
        report
            .add("E053", place, "an event has one time only", "a second one")
            .also(first, "already marked here")
            .help("keep `time` on the field that tells when it happened");
        return false;
    }
    if !matches!(ty, ty::TIMESTAMP | Ty::Unknown) {
        report
            .add(
                "E053",
                Place::new(file, decl.ty.span),
                format!("the time of an event cannot be of type {ty}"),
                "must be a timestamp",
            )
            .help("write `timestamp`, or for numbers in another unit `timestamp(s)`, `timestamp(us)`, `timestamp(ns)`");
        return false;
    }
    if decl.ty.optional {
        report
            .add(
                "E053",
                Place::new(file, decl.ty.span),
                "the time of an event cannot be optional",
                "may be absent",
            )
            .help("remove the `?`; records without a time go to the output `malformed`");
        return false;
    }
    true
}

fn path(report: &mut Report, file: FileId, decl: &ast::FieldDecl) -> Vec<String> {
    let Some(from) = &decl.from else {
        return vec![decl.name.name.clone()];
    };
    let parts: Vec<String> = from.value.split('.').map(str::to_owned).collect();
    if parts.iter().any(String::is_empty) {
        report
            .add(
                "E077",
                Place::new(file, from.span),
                format!("`{}` is no path", from.value),
                "an empty name in it",
            )
            .help(
                "write the names to descend through with dots between: `from \"payment.card.id\"`",
            );
    }
    parts
}

/// The type that a declaration names.
pub(super) fn reference(report: &mut Report, file: FileId, ty: &ast::TypeRef) -> (Ty, FieldType) {
    let place = Place::new(file, ty.name.span);
    let field = match ty.name.name.as_str() {
        "bool" => FieldType::Bool,
        "int" => FieldType::Int,
        "float" => FieldType::Float,
        "decimal" => FieldType::Decimal,
        "string" => FieldType::String,
        "duration" => FieldType::Duration,
        "timestamp" => FieldType::Timestamp(unit(report, file, ty)),
        other => {
            let near = report.suggestion(other, ty::NAMES);
            report
                .add(
                    "E052",
                    place,
                    format!("there is no type `{other}`"),
                    "unknown type",
                )
                .help_maybe(near)
                .help(format!("the types are {}", ty::NAMES.join(", ")));
            return (Ty::Unknown, FieldType::String);
        }
    };
    if let Some(unit) = &ty.unit
        && !matches!(field, FieldType::Timestamp(_))
    {
        report
            .add(
                "E077",
                Place::new(file, unit.span),
                format!("type {} has no unit", ty.name.name),
                "only timestamps have one",
            )
            .help(format!("write `{}`", ty.name.name));
    }
    (Ty::of(field), field)
}

fn unit(report: &mut Report, file: FileId, ty: &ast::TypeRef) -> TimeUnit {
    let Some(unit) = &ty.unit else {
        return TimeUnit::default();
    };
    match unit.name.as_str() {
        "s" => TimeUnit::Seconds,
        "ms" => TimeUnit::Millis,
        "us" => TimeUnit::Micros,
        "ns" => TimeUnit::Nanos,
        other => {
            report
                .add(
                    "E077",
                    Place::new(file, unit.span),
                    format!("`{other}` is no unit of a timestamp"),
                    "unknown unit",
                )
                .help("write `timestamp(s)`, `timestamp(ms)`, `timestamp(us)` or `timestamp(ns)`");
            TimeUnit::default()
        }
    }
}
