//! Reference data: rows looked up by one column, read once at start.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::paths::PathTree;
use super::split::{record_end, trim_end};
use super::token::Token;
use super::{Format, convert, csv, json};
use crate::event::schema::Field;
use crate::event::{FieldId, Value};

/// The rows of a table.
#[derive(Clone, Debug)]
pub struct TableData {
    rows: HashTable<Box<[Value]>>,
    key: FieldId,
    hasher: RandomState,
}

/// What is wrong with a table, and in which line of which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    file: String,
    line: usize,
    reason: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

impl std::error::Error for TableError {}

impl TableData {
    /// A table without rows that is looked up by this column.
    #[must_use]
    pub fn new(key: FieldId) -> TableData {
        TableData {
            rows: HashTable::new(),
            key,
            hasher: RandomState::default(),
        }
    }

    /// Reads a whole table, JSON lines or CSV with a header. `file` is its name in messages.
    ///
    /// # Errors
    /// At the first row that does not fit the columns' types, has no key, or has the key of another row.
    pub fn read(
        file: &str,
        format: Format,
        bytes: &[u8],
        fields: &[Field],
        key: FieldId,
    ) -> Result<TableData, TableError> {
        let mut reader = RowReader::new(format, fields);
        let mut table = TableData::new(key);
        let mut line = 1;
        let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        while !rest.is_empty() {
            let end = record_end(format, rest);
            let (record, after) = match end {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => (rest, &rest[rest.len()..]),
            };
            let lines = 1 + memchr::memchr_iter(b'\n', record).count();
            let at = |reason| TableError {
                file: file.to_owned(),
                line,
                reason,
            };
            let record = trim_end(record);
            if !record.is_empty()
                && let Some(row) = reader.row(record).map_err(at)?
            {
                let name = &fields[usize::from(key.0)].name;
                if row[usize::from(key.0)].is_null() {
                    return Err(at(format!("the key \"{name}\" is null")));
                }
                if !table.insert(row) {
                    return Err(at(format!("another row has the same key \"{name}\"")));
                }
            }
            line += lines;
            rest = after;
        }
        Ok(table)
    }

    /// Adds a row, one value per column; false (and nothing is added) when its key is there already.
    pub fn insert(&mut self, row: Box<[Value]>) -> bool {
        let hash = self.hash(&row[usize::from(self.key.0)]);
        let key = usize::from(self.key.0);
        if self
            .rows
            .find(hash, |other| same(&other[key], &row[key]))
            .is_some()
        {
            return false;
        }
        let hasher = &self.hasher;
        self.rows
            .insert_unique(hash, row, |row| hash_with(hasher, &row[key]));
        true
    }

    /// The row of a key. Null is no key.
    #[must_use]
    pub fn get(&self, key: &Value) -> Option<&[Value]> {
        let column = usize::from(self.key.0);
        let row = self
            .rows
            .find(self.hash(key), |row| same(&row[column], key));
        row.map(|row| &**row)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn hash(&self, key: &Value) -> u64 {
        hash_with(&self.hasher, key)
    }
}

/// Whether two values are the same key. A whole number is the same whatever its type.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Int(_), Value::Decimal(_) | Value::Float(_))
        | (Value::Decimal(_) | Value::Float(_), Value::Int(_)) => {
            matches!((whole(a), whole(b)), (Some(a), Some(b)) if a == b)
        }
        _ => a == b,
    }
}

/// The whole number that a value is.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::Decimal(value) if value.is_integer() => i64::try_from(*value).ok(),
        // Every double in this range that has no fraction is exactly an i64.
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e18 => Some(*value as i64),
        _ => None,
    }
}

/// Equal keys have equal hashes: see [`same`].
fn hash_with(hasher: &RandomState, key: &Value) -> u64 {
    let mut state = hasher.build_hasher();
    match (whole(key), key) {
        (Some(whole), _) => whole.hash(&mut state),
        (None, Value::Bool(value)) => value.hash(&mut state),
        (None, Value::Float(value)) => value.to_bits().hash(&mut state),
        (None, Value::Decimal(value)) => value.hash(&mut state),
        (None, Value::Str(value)) => value.hash(&mut state),
        (None, Value::Timestamp(value)) => value.hash(&mut state),
        (None, Value::Duration(value)) => value.hash(&mut state),
        (None, Value::Null | Value::Int(_) | Value::List(_)) => {}
    }
    state.finish()
}

/// Turns records into rows.
struct RowReader<'a> {
    fields: &'a [Field],
    /// By field.
    at: Vec<u32>,
    slots: Vec<Token>,
    form: Form,
}

enum Form {
    Json(PathTree),
    Csv(Box<csv::Columns>),
}

impl RowReader<'_> {
    fn new(format: Format, fields: &[Field]) -> RowReader<'_> {
        let (tree, at) = PathTree::new(fields.iter().map(|field| field.path.as_slice()));
        let slots = vec![Token::Absent; tree.slots()];
        let form = match format {
            Format::Json => Form::Json(tree),
            Format::Csv => {
                let mut names = vec![String::new(); tree.slots()];
                for (field, slot) in fields.iter().zip(&at) {
                    names[*slot as usize] = field.path.join(".");
                }
                Form::Csv(Box::new(csv::Columns::new(names)))
            }
        };
        RowReader {
            fields,
            at,
            slots,
            form,
        }
    }

    /// The row of a record; `None` for the header.
    fn row(&mut self, record: &[u8]) -> Result<Option<Box<[Value]>>, String> {
        let text = match &mut self.form {
            Form::Csv(columns) if columns.unnamed() => {
                let names = columns
                    .header(record)
                    .map_err(|malformed| malformed.reason)?;
                for (field, slot) in self.fields.iter().zip(&self.at) {
                    if columns.column(*slot).is_none() && !field.optional {
                        let (path, known) = (field.path.join("."), names.join(", "));
                        return Err(format!("no column \"{path}\"; columns are {known}"));
                    }
                }
                return Ok(None);
            }
            Form::Csv(columns) => columns
                .scan(record, &mut self.slots)
                .map_err(|malformed| malformed.reason)?,
            Form::Json(tree) => {
                let text = json::text(record).map_err(|malformed| malformed.reason)?;
                json::read(text, tree, &mut self.slots).map_err(|malformed| malformed.reason)?;
                text
            }
        };
        let fields = self.fields.iter().zip(&self.at);
        let row: Result<Box<[Value]>, _> = fields
            .map(|(field, slot)| convert::value(field, self.slots[*slot as usize], text))
            .collect();
        row.map(Some).map_err(|malformed| malformed.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FieldType;

    fn fields() -> Vec<Field> {
        let field = |name: &str, ty, optional| Field {
            name: name.to_owned(),
            ty,
            optional,
            path: vec![name.to_owned()],
        };
        vec![
            field("id", FieldType::Int, false),
            field("name", FieldType::String, false),
            field("limit", FieldType::Decimal, true),
        ]
    }

    fn read(format: Format, text: &str) -> Result<TableData, String> {
        TableData::read("limits", format, text.as_bytes(), &fields(), FieldId(0))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn csv_and_json_lines_give_the_same_rows() {
        let csv = read(
            Format::Csv,
            "\u{feff}limit,id,name\r\n10.50,1,\"a\nb\"\r\n,2,c",
        )
        .unwrap();
        let json = read(
            Format::Json,
            "{\"id\":1,\"name\":\"a\\nb\",\"limit\":10.50}\n\n{\"id\":2,\"name\":\"c\"}\n",
        );
        let json = json.unwrap();
        assert_eq!(csv.len(), 2);
        for key in [1, 2] {
            assert!(csv.get(&Value::Int(key)).is_some());
            assert_eq!(csv.get(&Value::Int(key)), json.get(&Value::Int(key)));
        }
        assert_eq!(
            csv.get(&Value::Int(1)).unwrap()[1],
            Value::Str("a\nb".into())
        );
        assert_eq!(
            csv.get(&Value::Decimal("2.0".parse().unwrap())).unwrap()[2],
            Value::Null
        );
        assert_eq!(csv.get(&Value::Int(3)), None);
        assert_eq!(csv.get(&Value::Null), None);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let error = |format, text| read(format, text).unwrap_err();
        assert_eq!(
            error(Format::Csv, "id,name\n1,\"a\nb\"\nx,c\n"),
            "limits:4: field \"id\": wanted int, found \"x\""
        );
        assert_eq!(
            error(Format::Csv, "id,limit\n"),
            "limits:1: no column \"name\"; columns are id, limit"
        );
        assert_eq!(
            error(Format::Csv, "id,name\n1,a\n1,b\n"),
            "limits:3: another row has the same key \"id\""
        );
        assert_eq!(
            error(Format::Json, "\n{\"id\":1}\n"),
            "limits:2: field \"name\" is missing; declare it string? if it may be"
        );
    }
}
