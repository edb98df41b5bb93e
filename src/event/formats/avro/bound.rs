//! A writer's schema set against what is looked for: by this a datum is walked.
//!
//! Every value of a datum has to be walked over, since only its schema tells where it ends; a value goes into a slot only if
//! somebody reads it. Fields are found by name, then by an alias; members of maps by their key.

use std::collections::HashMap;
use std::ops::Range;

use apache_avro::Schema;
use apache_avro::schema::{FixedSchema, InnerDecimalSchema, RecordSchema, UuidSchema};

use super::schemas::Writer;
use crate::event::formats::paths::{Found, PathTree, ROOT};
use crate::event::formats::token::Foreign;

/// How deep a schema may be nested, and a datum.
pub(super) const DEPTH_MAX: u32 = 128;

/// Most kinds of a bound schema: far more than a schema of a megabyte has.
const KINDS_MAX: usize = 1 << 18;

/// A writer's schema, ready to walk by.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub kinds: Vec<Kind>,
    /// The kind of a whole datum.
    pub root: u32,
}

/// How values of one kind are walked over, and what is kept of them.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool,
    /// A varint of 32 bits.
    Int(Whole),
    /// A varint of 64 bits.
    Long(Whole),
    Float,
    Double,
    Bytes(Raw),
    Text,
    Fixed(usize, Raw),
    Enum(Box<[Box<str>]>),
    Array(u32),
    Map(Map),
    Record(Record),
    Union(Box<[u32]>),
}

/// What a whole number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Number,
    /// Days since 1970.
    Days,
    /// A point in time, in units of which there are so many in a millisecond.
    Instant(i64),
    /// A length of time in such units: since midnight.
    Span(i64),
    Foreign(Foreign),
}

/// What bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// A number of so many digits after the point, highest byte first.
    Decimal(u32),
    Uuid,
    Foreign(Foreign),
}

/// Members that are told by their names.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// The kind of values that nobody reads.
    pub others: u32,
    pub read: Box<[(Box<[u8]>, Member)]>,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Without its namespace.
    pub name: Box<str>,
    pub members: Box<[Member]>,
}

/// A value inside of another.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub kind: u32,
    pub slot: Option<u32>,
    /// Its own slot and those of everything below it.
    pub covers: Range<usize>,
}

impl Bound {
    /// Binds a schema.
    pub(super) fn new(writer: &Writer, tree: &PathTree) -> Result<Bound, String> {
        let mut binding = Binding {
            writer,
            tree,
            kinds: Vec::new(),
            named: HashMap::new(),
        };
        let root = binding.bind(&writer.schema, None, Some(ROOT), 0)?;
        let kinds = binding.kinds;
        let object = |kind: &u32| matches!(kinds[*kind as usize], Kind::Record(_));
        let fits = match &kinds[root as usize] {
            Kind::Record(_) | Kind::Map(_) => true,
            Kind::Union(branches) => branches.iter().any(object),
            _ => false,
        };
        match fits {
            true => Ok(Bound { kinds, root }),
            false => Err("it describes no record, whose fields could be read".to_owned()),
        }
    }
}

struct Binding<'a> {
    writer: &'a Writer,
    tree: &'a PathTree,
    kinds: Vec<Kind>,
    /// What was bound under a name, for an object that is looked into or not: schemas may contain themselves.
    named: HashMap<(String, Option<usize>), u32>,
}

impl Binding<'_> {
    /// Binds a schema whose names without a namespace are of `within`, as the object of this number.
    fn bind(
        &mut self,
        schema: &Schema,
        within: Option<&str>,
        node: Option<usize>,
        depth: u32,
    ) -> Result<u32, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it is nested too deep (more than {DEPTH_MAX})"));
        }
        if self.kinds.len() >= KINDS_MAX {
            return Err("it has too many parts".to_owned());
        }
        if let Schema::Ref { name } = schema {
            let full = name.fullname(within);
            let writer = self.writer;
            let meant = writer.named(&full, within);
            let meant = meant.ok_or_else(|| format!("\"{full}\" is declared nowhere"))?;
            return self.bind(meant, within, node, depth + 1);
        }
        let Schema::Record(record) = schema else {
            let kind = self.kind(schema, within, node, depth)?;
            return Ok(self.add(kind));
        };
        let key = (record.name.fullname(within), node);
        if let Some(at) = self.named.get(&key) {
            return Ok(*at);
        }
        // Its place is known before its fields are, since they may lead back here.
        let at = self.add(Kind::Null);
        self.named.insert(key, at);
        let bound = self.record(record, within, node, depth)?;
        self.kinds[at as usize] = Kind::Record(bound);
        Ok(at)
    }

    fn add(&mut self, kind: Kind) -> u32 {
        self.kinds.push(kind);
        u32::try_from(self.kinds.len() - 1).expect("kinds are limited")
    }

    fn record(
        &mut self,
        record: &RecordSchema,
        within: Option<&str>,
        node: Option<usize>,
        depth: u32,
    ) -> Result<Record, String> {
        let within = record.name.namespace().or(within);
        let mut members = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let found = self.found(node, &field.name).or_else(|| {
                let taken = |alias: &&String| record.fields.iter().any(|one| one.name == **alias);
                let mut aliases = field.aliases.iter().filter(|alias| !taken(alias));
                aliases.find_map(|alias| self.found(node, alias))
            });
            let found = found.unwrap_or_default();
            let kind = self.bind(&field.schema, within, found.child, depth + 1)?;
            members.push(Member {
                kind,
                slot: found.slot,
                covers: found.covers,
            });
        }
        Ok(Record {
            name: record.name.name().into(),
            members: members.into(),
        })
    }

    /// What is read under a name.
    fn found(&self, node: Option<usize>, name: &str) -> Option<Found> {
        let mut read = self.tree.read(node?);
        let (_, found) = read.find(|(read, _)| *read == name.as_bytes())?;
        Some(found.clone())
    }

    fn kind(
        &mut self,
        schema: &Schema,
        within: Option<&str>,
        node: Option<usize>,
        depth: u32,
    ) -> Result<Kind, String> {
        Ok(match schema {
            Schema::Null => Kind::Null,
            Schema::Boolean => Kind::Bool,
            Schema::Int => Kind::Int(Whole::Number),
            Schema::Date => Kind::Int(Whole::Days),
            Schema::TimeMillis => Kind::Int(Whole::Span(1)),
            Schema::Long => Kind::Long(Whole::Number),
            Schema::TimeMicros => Kind::Long(Whole::Span(1_000)),
            Schema::TimestampMillis => Kind::Long(Whole::Instant(1)),
            Schema::TimestampMicros => Kind::Long(Whole::Instant(1_000)),
            Schema::TimestampNanos => Kind::Long(Whole::Instant(1_000_000)),
            Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Kind::Long(Whole::Foreign(Foreign::LocalTime)),
            Schema::Float => Kind::Float,
            Schema::Double => Kind::Double,
            Schema::Bytes | Schema::BigDecimal => Kind::Bytes(Raw::Foreign(Foreign::Bytes)),
            Schema::String | Schema::Uuid(UuidSchema::String) => Kind::Text,
            Schema::Uuid(UuidSchema::Bytes) => Kind::Bytes(Raw::Uuid),
            Schema::Uuid(UuidSchema::Fixed(fixed)) => Kind::Fixed(fixed.size, Raw::Uuid),
            Schema::Fixed(FixedSchema { size, .. }) => {
                Kind::Fixed(*size, Raw::Foreign(Foreign::Bytes))
            }
            Schema::Duration(fixed) => Kind::Fixed(fixed.size, Raw::Foreign(Foreign::Months)),
            Schema::Decimal(decimal) => {
                let scale = u32::try_from(decimal.scale).unwrap_or(u32::MAX);
                match &decimal.inner {
                    InnerDecimalSchema::Bytes => Kind::Bytes(Raw::Decimal(scale)),
                    InnerDecimalSchema::Fixed(fixed) => {
                        Kind::Fixed(fixed.size, Raw::Decimal(scale))
                    }
                }
            }
            Schema::Enum(symbols) => {
                let symbols = symbols.symbols.iter();
                Kind::Enum(symbols.map(|symbol| symbol.as_str().into()).collect())
            }
            Schema::Array(array) => {
                Kind::Array(self.bind(&array.items, within, None, depth + 1)?)
            }
            Schema::Map(map) => Kind::Map(self.map(&map.types, within, node, depth)?),
            Schema::Union(union) => {
                let branches = union.variants().iter();
                let branches: Result<_, _> = branches
                    .map(|one| self.bind(one, within, node, depth + 1))
                    .collect();
                Kind::Union(branches?)
            }
            Schema::Record(_) | Schema::Ref { .. } => unreachable!("the caller has seen to them"),
        })
    }

    fn map(
        &mut self,
        values: &Schema,
        within: Option<&str>,
        node: Option<usize>,
        depth: u32,
    ) -> Result<Map, String> {
        let others = self.bind(values, within, None, depth + 1)?;
        let tree = self.tree;
        let mut read = Vec::new();
        for (name, found) in node.into_iter().flat_map(|node| tree.read(node)) {
            let kind = self.bind(values, within, found.child, depth + 1)?;
            let member = Member {
                kind,
                slot: found.slot,
                covers: found.covers.clone(),
            };
            read.push((name.into(), member));
        }
        Ok(Map {
            others,
            read: read.into(),
        })
    }
}
