//! Avro: records that begin with the number of the schema they were written with.
//!
//! That is the wire format of schema registries: a zero byte, the schema's number in four bytes, highest first, then the datum without any header. A datum
//! tells nothing by itself, so it is walked by the [writer's schema](Schemas), which was `bound` to the fields that patterns read.
//! Those that nobody reads are walked over and never become values.

mod bound;
mod datum;
mod schemas;
#[cfg(test)]
mod tests;

use hashbrown::HashMap;

use self::bound::Bound;
use self::schemas::Known;
pub use self::schemas::{SCHEMA_BYTES_MAX, Schemas};
use super::Malformed;
use super::beside::{Beside, Texts};
use super::framing;
use super::paths::PathTree;
use super::token::Token;

/// So many schemas are kept bound by each decoder; records of more are bound anew when they come.
const BOUND_MAX: usize = 256;

/// Reads records.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    schemas: Schemas,
    beside: Texts,
    tree: PathTree,
    bound: Vec<Bound>,
    /// Places in `bound`.
    places: HashMap<u32, usize>,
    /// The number of the record before, and its place: a guess.
    last: Option<(u32, usize)>,
    /// The texts of the record that was read last.
    text: String,
}

impl Reader {
    pub(super) fn new(schemas: &Schemas, beside: &Beside, tree: PathTree) -> Reader {
        Reader {
            schemas: schemas.clone(),
            beside: Texts::new(beside, &tree),
            tree,
            bound: Vec::new(),
            places: HashMap::new(),
            last: None,
            text: String::new(),
        }
    }

    /// Puts the wanted values of a record into `slots`; gives the text that they lie in, and the record's name.
    pub(super) fn read(
        &mut self,
        record: &[u8],
        slots: &mut [Token],
    ) -> Result<(&str, Option<&str>), Malformed> {
        slots.fill(Token::Absent);
        self.text.clear();
        let framed = self.beside.read(record, slots, &mut self.text)?;
        let (id, datum) = framing::id(framed).map_err(Malformed::syntax)?;
        let at = match self.last {
            Some((last, at)) if last == id => at,
            _ => self.place(id)?,
        };
        let bound = &self.bound[at];
        match datum::walk(datum, bound, slots, &mut self.text) {
            Ok(name) => Ok((&self.text, name)),
            Err(fault) => {
                // As the whole record counts.
                let at = fault.at + record.len() - datum.len();
                let what = fault.what;
                Err(Malformed::syntax(format!(
                    "not a datum of schema {id}: {what} at byte {at}"
                )))
            }
        }
    }

    /// The place of a bound schema.
    fn place(&mut self, id: u32) -> Result<usize, Malformed> {
        let at = match self.places.get(&id) {
            Some(at) => *at,
            None => self.bind(id)?,
        };
        self.last = Some((id, at));
        Ok(at)
    }

    #[cold]
    fn bind(&mut self, id: u32) -> Result<usize, Malformed> {
        let bound = match self.schemas.get(id) {
            Some(Known::Writer(writer)) => Bound::new(&writer, &self.tree)
                .map_err(|reason| format!("schema {id} cannot be read by: {reason}")),
            Some(Known::Unusable(reason)) => Err((*reason).to_owned()),
            None => Err(format!("schema {id} is not known")),
        };
        let bound = bound.map_err(Malformed::syntax)?;
        if self.bound.len() >= BOUND_MAX {
            self.bound.clear();
            self.places.clear();
        }
        self.bound.push(bound);
        let at = self.bound.len() - 1;
        self.places.insert(id, at);
        Ok(at)
    }
}
