//! Rows of reference data, looked up by one column.

use super::Value;

/// The rows of a table.
#[derive(Clone, Debug, Default)]
pub struct TableData {
    rows: Vec<(Value, Box<[Value]>)>,
}

impl TableData {
    /// The row with this key.
    #[must_use]
    pub fn get(&self, key: &Value) -> Option<&[Value]> {
        self.rows
            .iter()
            .find(|(other, _)| other == key)
            .map(|(_, row)| &**row)
    }
}
