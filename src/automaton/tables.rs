//! Reference data at hand while conditions are judged.

use std::sync::Arc;

use crate::event::table::TableData;
use crate::lang::pattern::TableId;

/// The rows of every table of a program; empty tables where none were loaded.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    tables: Vec<Arc<TableData>>,
}

impl Tables {
    /// One entry per table of the program, in order.
    #[must_use]
    pub fn new(tables: Vec<Arc<TableData>>) -> Tables {
        Tables { tables }
    }

    pub(crate) fn get(&self, table: TableId) -> Arc<TableData> {
        self.tables
            .get(usize::from(table.0))
            .cloned()
            .unwrap_or_default()
    }
}
