//! Events on their way to another shard, by value.
//!
//! An event's values are a piece of memory of the shard that decoded it. What travels is a copy of them, one event behind the other, in memory that belongs to the
//! packet: so a shard writes and frees only what is its own, the receiver reads memory from front to back, and what was sent is at once made into the next event.
//! Values are not copied over but exchanged: what long strings leave behind is the memory of the next ones.

use super::plan::Judged;
use crate::event::Value;
use crate::event::formats::Spare;

/// Events one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    heads: Vec<Head>,
    /// Those of all events; behind them spent ones. Grows, and is never cut.
    values: Vec<Value>,
    /// How many values are those of events.
    filled: usize,
}

#[derive(Debug)]
struct Head {
    /// Without its values.
    judged: Judged,
    fields: usize,
}

impl Parcel {
    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Puts an event behind the others. Gives back the memory of its values.
    pub(crate) fn put(&mut self, mut judged: Judged) -> Box<[Value]> {
        let mut values = std::mem::take(&mut judged.event.values);
        let fields = values.len();
        let first = self.filled;
        self.filled += fields;
        if self.values.len() < self.filled {
            self.values.resize(self.filled, Value::Null);
        }
        values.swap_with_slice(&mut self.values[first..self.filled]);
        self.heads.push(Head { judged, fields });
        values
    }

    /// Takes all events out, each in memory that is spare here.
    pub(crate) fn unpack(&mut self, spare: &mut Spare, mut to: impl FnMut(Judged)) {
        let mut rest = &mut self.values[..self.filled];
        for Head { mut judged, fields } in self.heads.drain(..) {
            let (sent, behind) = rest.split_at_mut(fields);
            rest = behind;
            let mut values = spare.take(fields);
            values.swap_with_slice(sent);
            judged.event.values = values;
            to(judged);
        }
        self.filled = 0;
    }

    /// Throws all events away.
    pub(crate) fn clear(&mut self) {
        self.heads.clear();
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventTypeId, Position};
    use crate::time::Timestamp;

    fn judged(texts: &[&str]) -> Judged {
        let event = Event {
            ty: EventTypeId(0),
            time: Timestamp(texts.len() as i64),
            position: Position::default(),
            values: texts.iter().map(|text| Value::from(*text)).collect(),
        };
        Judged {
            event,
            concerns: Default::default(),
            arrived: 0,
        }
    }

    fn texts(judged: &Judged) -> Vec<&str> {
        let values = judged.event.values.iter();
        values.filter_map(Value::as_str).collect()
    }

    #[test]
    fn events_of_any_number_of_fields_arrive_as_they_were_however_often_a_parcel_is_used() {
        let (mut parcel, mut spare) = (Parcel::default(), Spare::default());
        for round in 0..5 {
            let long = format!("a text too long to be kept in place, {round}");
            let sent = [
                vec![],
                vec!["a", long.as_str()],
                vec!["b"],
                vec![long.as_str(), "c", "d"],
            ];
            let sent = &sent[..4 - round % 3];
            for texts in sent {
                spare.give(parcel.put(judged(texts)));
            }
            assert_eq!(parcel.len(), sent.len());
            let mut came = Vec::new();
            parcel.unpack(&mut spare, |judged| came.push(judged));
            assert!(parcel.is_empty());
            assert_eq!(came.iter().map(texts).collect::<Vec<_>>(), sent);
            came.into_iter()
                .for_each(|judged| spare.give(judged.event.values));
        }
    }

    #[test]
    fn a_shard_keeps_its_memory_and_that_of_a_long_text_is_exchanged() {
        let (mut parcel, mut here, mut there) =
            (Parcel::default(), Spare::default(), Spare::default());
        let long = |tail: &str| format!("a text too long to be kept in place{tail}");
        let place = |judged: &Judged| judged.event.values.as_ptr();
        let text = |values: &[Value]| values[0].as_str().map(str::as_ptr);
        there.give(judged(&[&long("!")]).event.values);
        let sent = judged(&[&long("?")]);
        let (box_of, text_of) = (place(&sent), text(&sent.event.values));
        let back = parcel.put(sent);
        assert_eq!(back.as_ptr(), box_of);
        here.give(back);
        let mut came = None;
        parcel.unpack(&mut there, |judged| came = Some(judged));
        let came = came.expect("one");
        assert_ne!(place(&came), box_of);
        assert_eq!(text(&came.event.values), text_of);
        // What lay there goes home with the parcel.
        let next = parcel.put(judged(&[&long(".")]));
        assert_eq!(next[0].as_str(), Some(long("!").as_str()));
    }
}
