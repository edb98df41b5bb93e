//! Schemas with which records were written, by number.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use apache_avro::Schema;

/// A schema's text is at most this long.
pub const SCHEMA_BYTES_MAX: usize = 1 << 20;

/// Schemas by the number that a registry gave them; shared by whoever learns them and all who read by them.
#[derive(Clone, Default)]
pub struct Schemas {
    known: Arc<RwLock<HashMap<u32, Known>>>,
}

/// What is known of a number.
#[derive(Clone, Debug)]
pub(in crate::event::formats) enum Known {
    /// Its schema.
    Writer(Arc<Writer>),
    /// Why nothing can be read by it.
    Unusable(Arc<str>),
}

/// A schema with all that its names stand for.
#[derive(Debug)]
pub(in crate::event::formats) struct Writer {
    pub(super) schema: Schema,
    /// By full name.
    pub(super) names: HashMap<String, Schema>,
}

impl Schemas {
    /// No schema is known yet.
    #[must_use]
    pub fn new() -> Schemas {
        Schemas::default()
    }

    /// This is the schema of a number, in JSON; `others` are those whose names it uses without declaring them. One that cannot be read is kept with the reason,
    /// which records by it are refused with.
    pub fn learn(&self, id: u32, text: &str, others: &[String]) {
        let known = match Writer::parse(text, others) {
            Ok(writer) => Known::Writer(Arc::new(writer)),
            Err(reason) => Known::Unusable(format!("schema {id} cannot be read: {reason}").into()),
        };
        self.put(id, known);
    }

    /// Nothing can be read by this number, and why.
    pub fn refuse(&self, id: u32, reason: &str) {
        self.put(id, Known::Unusable(reason.into()));
    }

    /// Whether anything is known of this number.
    #[must_use]
    pub fn knows(&self, id: u32) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(&id)
    }

    /// Nothing is known of this number any more.
    pub fn forget(&self, id: u32) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(&id);
    }

    pub(super) fn get(&self, id: u32) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned()
    }

    fn put(&self, id: u32, what: Known) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(id, what);
    }
}

/// Numbers only.
impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(known.keys()).finish()
    }
}

/// The same ones, not equal ones.
impl PartialEq for Schemas {
    fn eq(&self, other: &Schemas) -> bool {
        Arc::ptr_eq(&self.known, &other.known)
    }
}

impl Eq for Schemas {}

impl Writer {
    /// Reads a schema.
    pub(super) fn parse(text: &str, others: &[String]) -> Result<Writer, String> {
        let bytes = text.len() + others.iter().map(String::len).sum::<usize>();
        if bytes > SCHEMA_BYTES_MAX {
            return Err(format!("it is {bytes} bytes long, and 1 MiB is the limit"));
        }
        // It comes from outside, and the library that reads it makes no promises about nonsense.
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            Schema::parse_str_with_list(text, others)
        }));
        let (schema, others) = match parsed {
            Ok(parsed) => parsed.map_err(|error| error.to_string())?,
            Err(_) => return Err("it is no Avro schema".to_owned()),
        };
        let mut names = HashMap::new();
        for one in others.iter().chain([&schema]) {
            declare(one, None, &mut names);
        }
        Ok(Writer { schema, names })
    }

    /// What a name stands for, where names without a namespace are of this one.
    pub(super) fn named(&self, name: &str, within: Option<&str>) -> Option<&Schema> {
        let inner = within.and_then(|within| self.names.get(&format!("{within}.{name}")));
        inner.or_else(|| self.names.get(name))
    }
}

/// Notes what is declared in a schema. JSON is nested no deeper than its reader allows, which is 128.
fn declare(schema: &Schema, within: Option<&str>, names: &mut HashMap<String, Schema>) {
    let name = schema.name();
    if let Some(name) = name
        && !matches!(schema, Schema::Ref { .. })
    {
        names.insert(name.fullname(within), schema.clone());
    }
    let inner = name.and_then(|name| name.namespace()).or(within);
    match schema {
        Schema::Array(array) => declare(&array.items, inner, names),
        Schema::Map(map) => declare(&map.types, inner, names),
        Schema::Union(union) => {
            for one in union.variants() {
                declare(one, inner, names);
            }
        }
        Schema::Record(record) => {
            for field in &record.fields {
                declare(&field.schema, inner, names);
            }
        }
        _ => {}
    }
}
