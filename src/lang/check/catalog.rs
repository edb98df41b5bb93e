//! Everything that declarations have named, to be looked up.
//!
//! Event types (declared and emitted) and patterns are known in all files; params, functions and tables in their own.

use std::cell::Cell;
use std::collections::HashMap;

use super::report::Place;
use super::ty::Ty;
use crate::event::schema::{EventType, Field};
use crate::event::{EventTypeId, FieldId, FieldType, Schema, Value};
use crate::lang::pattern::{Expr, Table, TableId};
use crate::lang::span::FileId;

/// Names of streams that the engine itself writes to.
pub(super) const RESERVED: [&str; 3] = ["late", "malformed", "evicted"];

/// What all declarations say.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// Declared types first, then streams.
    pub types: Vec<TypeEntry>,
    pub type_ids: HashMap<String, EventTypeId>,
    pub tables: Vec<TableEntry>,
    /// By number of the file.
    pub files: Vec<FileNames>,
}

/// The names that one file alone knows.
#[derive(Debug, Default)]
pub(super) struct FileNames {
    pub params: HashMap<String, ParamEntry>,
    pub functions: HashMap<String, FunctionEntry>,
    pub tables: HashMap<String, TableId>,
}

/// Fields by name and by number.
#[derive(Debug, Default, Clone)]
pub(super) struct Fields {
    pub list: Vec<FieldEntry>,
    ids: HashMap<String, FieldId>,
}

#[derive(Debug, Clone)]
pub(super) struct FieldEntry {
    pub name: String,
    pub ty: Ty,
    /// As declared, unit of a timestamp included; any type while `ty` is not known.
    pub declared: FieldType,
    pub optional: bool,
    pub path: Vec<String>,
    pub place: Place,
}

/// An event type, declared or emitted.
#[derive(Debug)]
pub(super) struct TypeEntry {
    pub name: String,
    pub fields: Fields,
    pub time: Option<FieldId>,
    pub place: Place,
    pub origin: Origin,
}

/// Where an event type comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// `event …`
    Declared,
    /// A pattern emits it; false until the first one has said its fields.
    Emitted { known: bool },
}

#[derive(Debug)]
pub(super) struct TableEntry {
    pub name: String,
    pub fields: Fields,
    /// None if the declaration names no column it has.
    pub key: Option<FieldId>,
    pub place: Place,
    pub used: Cell<bool>,
}

#[derive(Debug)]
pub(super) struct ParamEntry {
    pub ty: Ty,
    pub value: Value,
    pub place: Place,
    pub used: Cell<bool>,
}

#[derive(Debug)]
pub(super) struct FunctionEntry {
    pub args: Vec<(String, Ty)>,
    pub result: Ty,
    /// Arguments are [`Expr::Field`] by number. None if it has a mistake.
    pub body: Option<Expr>,
    pub place: Place,
    pub used: Cell<bool>,
}

impl Fields {
    /// Adds a field; gives back the one of this name that is there already.
    pub fn add(&mut self, field: FieldEntry) -> Result<FieldId, FieldId> {
        if let Some(first) = self.ids.get(&field.name) {
            return Err(*first);
        }
        let id = FieldId(u16::try_from(self.list.len()).unwrap_or(u16::MAX));
        self.ids.insert(field.name.clone(), id);
        self.list.push(field);
        Ok(id)
    }

    pub fn find(&self, name: &str) -> Option<FieldId> {
        self.ids.get(name).copied()
    }

    pub fn get(&self, id: FieldId) -> &FieldEntry {
        &self.list[usize::from(id.0)]
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|field| field.name.as_str())
    }

    fn checked(&self) -> Vec<Field> {
        self.list
            .iter()
            .map(|field| Field {
                name: field.name.clone(),
                ty: field.declared,
                optional: field.optional,
                path: field.path.clone(),
            })
            .collect()
    }
}

impl TypeEntry {
    /// True if a field that is not there may still be meant: a pattern that was not understood emits it.
    pub fn is_vague(&self) -> bool {
        self.origin == Origin::Emitted { known: false }
    }

    pub fn is_stream(&self) -> bool {
        self.origin != Origin::Declared
    }
}

impl Catalog {
    pub fn ty(&self, id: EventTypeId) -> &TypeEntry {
        &self.types[usize::from(id.0)]
    }

    pub fn ty_mut(&mut self, id: EventTypeId) -> &mut TypeEntry {
        &mut self.types[usize::from(id.0)]
    }

    pub fn find_type(&self, name: &str) -> Option<EventTypeId> {
        self.type_ids.get(name).copied()
    }

    pub fn table(&self, id: TableId) -> &TableEntry {
        &self.tables[usize::from(id.0)]
    }

    pub fn file(&self, id: FileId) -> &FileNames {
        &self.files[id.0 as usize]
    }

    pub fn file_mut(&mut self, id: FileId) -> &mut FileNames {
        &mut self.files[id.0 as usize]
    }

    pub fn type_names(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(|ty| ty.name.as_str())
    }

    /// What the checked program keeps of the event types.
    pub fn schema(&self) -> Schema {
        let types = self.types.iter().map(|ty| EventType {
            name: ty.name.clone(),
            fields: ty.fields.checked(),
            time: ty.time,
        });
        Schema {
            types: types.collect(),
        }
    }

    /// What the checked program keeps of the tables.
    pub fn checked_tables(&self) -> Vec<Table> {
        let tables = self.tables.iter().map(|table| Table {
            name: table.name.clone(),
            fields: table.fields.checked(),
            key: table.key.unwrap_or(FieldId(0)),
        });
        tables.collect()
    }
}
