//! Which event types and which of their fields some pattern reads.

use crate::event::{EventTypeId, FieldId, Schema};

/// Which fields a decoder has to fill in. All others are left null; events of types that nobody wants are decoded no
/// further than their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// By type: `None` when nobody wants it, else by field whether it is read.
    types: Vec<Option<Vec<bool>>>,
}

impl Projection {
    /// Everything is read.
    #[must_use]
    pub fn all(schema: &Schema) -> Projection {
        let types = schema
            .types
            .iter()
            .map(|ty| Some(vec![true; ty.fields.len()]))
            .collect();
        Projection { types }
    }

    /// Nothing is read yet.
    #[must_use]
    pub fn none(schema: &Schema) -> Projection {
        Projection {
            types: vec![None; schema.types.len()],
        }
    }

    /// Some pattern waits for events of this type, whether or not it reads a field.
    pub fn want(&mut self, schema: &Schema, ty: EventTypeId) {
        let count = schema.get(ty).fields.len();
        self.types[usize::from(ty.0)].get_or_insert_with(|| vec![false; count]);
    }

    /// Some pattern reads this field.
    pub fn read(&mut self, schema: &Schema, ty: EventTypeId, field: FieldId) {
        self.want(schema, ty);
        if let Some(fields) = &mut self.types[usize::from(ty.0)] {
            fields[usize::from(field.0)] = true;
        }
    }

    /// Whether some pattern waits for events of this type.
    #[must_use]
    pub fn wants(&self, ty: EventTypeId) -> bool {
        self.types
            .get(usize::from(ty.0))
            .is_some_and(Option::is_some)
    }

    /// Whether some pattern reads this field.
    #[must_use]
    pub fn reads(&self, ty: EventTypeId, field: FieldId) -> bool {
        let fields = self.types.get(usize::from(ty.0)).and_then(Option::as_ref);
        fields.is_some_and(|fields| fields.get(usize::from(field.0)).copied().unwrap_or(false))
    }
}
