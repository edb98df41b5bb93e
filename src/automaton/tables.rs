//! Reference data at hand while conditions are judged.

use std::sync::Arc;

use crate::event::formats::table::TableData;
use crate::lang::pattern::{Program, TableId};

/// The rows of every table of a program.
#[derive(Clone, Debug)]
pub struct Tables {
    /// One per table of the program, in order.
    tables: Vec<Arc<TableData>>,
}

impl Tables {
    /// Tables without rows.
    #[must_use]
    pub fn empty(program: &Program) -> Tables {
        let tables = program
            .tables
            .iter()
            .map(|table| Arc::new(TableData::new(table.key)));
        Tables {
            tables: tables.collect(),
        }
    }

    /// Puts the rows of one table in.
    pub fn load(&mut self, table: TableId, rows: TableData) {
        self.tables[usize::from(table.0)] = Arc::new(rows);
    }

    pub(crate) fn get(&self, table: TableId) -> Arc<TableData> {
        Arc::clone(&self.tables[usize::from(table.0)])
    }
}
