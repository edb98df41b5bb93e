//! A message's descriptor set against what is looked for.
//!
//! A message tells of each field where it ends, so only those that somebody reads are known here; all others are passed over by their wire type. Fields are
//! found by their name in the `.proto` file, then by their JSON name.

use std::ops::Range;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::event::formats::paths::{Found, PathTree};

/// A message, as far as it is read.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Without its package.
    pub name: Box<str>,
    /// By number.
    pub fields: Box<[Field]>,
    /// What fields are that nobody wrote.
    pub defaults: Box<[(u32, Default)]>,
}

/// A field that is read, or that takes the place of one.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub number: u32,
    pub slot: Option<u32>,
    /// Slots of fields whose place it takes.
    pub rivals: Box<[Range<usize>]>,
    pub form: Form,
}

/// How a field is written.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// It is passed over.
    Passed,
    Scalar(Scalar),
    /// A number by its name.
    Enum(Names),
    Message(Box<Plan>),
    /// A message whose fields stand between two tags.
    Group(Box<Plan>),
    /// A point in time: seconds and nanoseconds.
    Instant,
    /// A length of time: seconds and nanoseconds.
    Span,
    /// A message of one field, which it stands for.
    Wrapped(Scalar),
    /// Many values.
    List,
    /// Members by their keys.
    Map(Box<[Entry]>),
}

/// A member of a map that is read.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: Box<[u8]>,
    pub covers: Range<usize>,
    pub value: Field,
}

/// Values without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    Text,
    Bytes,
}

/// Names of an enum's numbers, in order of the numbers.
pub(super) type Names = Box<[(i32, Box<str>)]>;

/// What a field is that nobody wrote.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Default {
    Bool(bool),
    Whole(i64),
    Float(f64),
    Text(Box<str>),
}

impl Plan {
    /// Binds a message to what is looked for in an object. As deep as paths of fields are.
    pub(super) fn new(message: &MessageDescriptor, tree: &PathTree, node: usize) -> Plan {
        let mut fields: Vec<(FieldDescriptor, Found)> = Vec::new();
        for (name, found) in tree.read(node) {
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            let field = message.get_field_by_name(name);
            if let Some(field) = field.or_else(|| message.get_field_by_json_name(name)) {
                fields.push((field, found.clone()));
            }
        }
        let mut bound: Vec<Field> = Vec::new();
        let mut defaults = Vec::new();
        for (field, found) in &fields {
            let form = form(field, found, tree);
            if let Some(slot) = found.slot
                && !field.supports_presence()
                && let Some(default) = default(field)
            {
                defaults.push((slot, default));
            }
            bound.push(Field {
                number: field.number(),
                slot: found.slot,
                rivals: rivals(field, &fields),
                form,
            });
        }
        // Of a choice the field counts that was written last, also one that nobody reads.
        for (field, _) in &fields {
            let choice = field.containing_oneof();
            for other in choice.iter().flat_map(|choice| choice.fields()) {
                if bound.iter().all(|field| field.number != other.number()) {
                    bound.push(Field {
                        number: other.number(),
                        slot: None,
                        rivals: rivals(&other, &fields),
                        form: Form::Passed,
                    });
                }
            }
        }
        bound.sort_by_key(|field| field.number);
        Plan {
            name: message.name().into(),
            fields: bound.into(),
            defaults: defaults.into(),
        }
    }
}

/// Slots of the fields that are read of the same choice.
fn rivals(field: &FieldDescriptor, read: &[(FieldDescriptor, Found)]) -> Box<[Range<usize>]> {
    let Some(choice) = field.containing_oneof() else {
        return Box::default();
    };
    let others = read.iter().filter(|(other, _)| {
        other.number() != field.number() && other.containing_oneof().as_ref() == Some(&choice)
    });
    others.map(|(_, found)| found.covers.clone()).collect()
}

fn form(field: &FieldDescriptor, found: &Found, tree: &PathTree) -> Form {
    if field.is_map() {
        return map(field, found, tree);
    }
    match field.is_list() {
        true => Form::List,
        false => single(field, found, tree),
    }
}

fn single(field: &FieldDescriptor, found: &Found, tree: &PathTree) -> Form {
    let message = match field.kind() {
        Kind::Message(message) => message,
        Kind::Enum(names) => return Form::Enum(named(&names)),
        kind => return Form::Scalar(scalar(&kind).expect("neither message nor enum")),
    };
    if field.is_group() {
        return Form::Group(Box::new(inner(&message, found, tree)));
    }
    // Whoever names a part of one wants that part.
    if found.child.is_none() {
        match message.full_name() {
            "google.protobuf.Timestamp" => return Form::Instant,
            "google.protobuf.Duration" => return Form::Span,
            name if is_wrapper(name) => {
                let value = message.get_field(1);
                if let Some(scalar) = value.and_then(|value| scalar(&value.kind())) {
                    return Form::Wrapped(scalar);
                }
            }
            _ => {}
        }
    }
    Form::Message(Box::new(inner(&message, found, tree)))
}

/// What is read of a message; nothing, if only the message itself is.
fn inner(message: &MessageDescriptor, found: &Found, tree: &PathTree) -> Plan {
    match found.child {
        Some(child) => Plan::new(message, tree, child),
        None => Plan {
            name: message.name().into(),
            fields: Box::default(),
            defaults: Box::default(),
        },
    }
}

fn map(field: &FieldDescriptor, found: &Found, tree: &PathTree) -> Form {
    let Kind::Message(entry) = field.kind() else {
        return Form::List;
    };
    let value = entry.map_entry_value_field();
    let texts = entry.map_entry_key_field().kind() == Kind::String;
    let read = found.child.filter(|_| texts).into_iter();
    let entries = read.flat_map(|child| tree.read(child));
    let entries = entries.map(|(key, found)| Entry {
        key: key.into(),
        covers: found.covers.clone(),
        value: Field {
            number: value.number(),
            slot: found.slot,
            rivals: Box::default(),
            form: single(&value, found, tree),
        },
    });
    Form::Map(entries.collect())
}

fn is_wrapper(name: &str) -> bool {
    const WRAPPERS: [&str; 9] = [
        "google.protobuf.DoubleValue",
        "google.protobuf.FloatValue",
        "google.protobuf.Int64Value",
        "google.protobuf.UInt64Value",
        "google.protobuf.Int32Value",
        "google.protobuf.UInt32Value",
        "google.protobuf.BoolValue",
        "google.protobuf.StringValue",
        "google.protobuf.BytesValue",
    ];
    WRAPPERS.contains(&name)
}

fn named(names: &EnumDescriptor) -> Names {
    let mut names: Vec<(i32, Box<str>)> = names
        .values()
        .map(|value| (value.number(), value.name().into()))
        .collect();
    // Of several names of a number the first one is its own.
    names.sort_by_key(|(number, _)| *number);
    names.dedup_by_key(|(number, _)| *number);
    names.into()
}

fn scalar(kind: &Kind) -> Option<Scalar> {
    Some(match kind {
        Kind::Double => Scalar::Double,
        Kind::Float => Scalar::Float,
        Kind::Int32 => Scalar::Int32,
        Kind::Int64 => Scalar::Int64,
        Kind::Uint32 => Scalar::Uint32,
        Kind::Uint64 => Scalar::Uint64,
        Kind::Sint32 => Scalar::Sint32,
        Kind::Sint64 => Scalar::Sint64,
        Kind::Fixed32 => Scalar::Fixed32,
        Kind::Fixed64 => Scalar::Fixed64,
        Kind::Sfixed32 => Scalar::Sfixed32,
        Kind::Sfixed64 => Scalar::Sfixed64,
        Kind::Bool => Scalar::Bool,
        Kind::String => Scalar::Text,
        Kind::Bytes => Scalar::Bytes,
        Kind::Message(_) | Kind::Enum(_) => return None,
    })
}

/// What a field is that was not written because it is what it is by default. Lists and maps are never nothing.
fn default(field: &FieldDescriptor) -> Option<Default> {
    if field.is_list() || field.is_map() {
        return None;
    }
    match (field.kind(), field.default_value()) {
        (Kind::Enum(names), Value::EnumNumber(number)) => {
            let name = names.get_value(number)?;
            Some(Default::Text(name.name().into()))
        }
        (_, Value::Bool(value)) => Some(Default::Bool(value)),
        (_, Value::I32(value)) => Some(Default::Whole(value.into())),
        (_, Value::I64(value)) => Some(Default::Whole(value)),
        (_, Value::U32(value)) => Some(Default::Whole(value.into())),
        (_, Value::U64(value)) => i64::try_from(value).ok().map(Default::Whole),
        (_, Value::F32(value)) => Some(Default::Float(value.into())),
        (_, Value::F64(value)) => Some(Default::Float(value)),
        (_, Value::String(value)) => Some(Default::Text(value.into())),
        _ => None,
    }
}
