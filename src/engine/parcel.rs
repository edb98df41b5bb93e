//! Events on their way to another shard, by value.
//!
//! An event's values are a piece of memory of the shard that decoded it. What travels is a copy of them, one event behind the other, in memory that belongs to the
//! packet: so a shard writes and frees only what is its own, the receiver reads memory from front to back, and what was sent is at once made into the next event.
//! Values are not copied over but exchanged: what long strings leave behind is the memory of the next ones.

use super::judge::{Concern, Judged, Judgements};
use crate::event::formats::Spare;
use crate::event::{Event, Value};

/// Events one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    heads: Vec<Head>,
    values: Row<Value>,
    concerns: Row<Concern>,
}

/// Those of all events; behind them spent ones.
#[derive(Debug)]
struct Row<T> {
    /// Grows, and is never cut.
    all: Vec<T>,
    /// How many are those of events.
    filled: usize,
}

#[derive(Debug)]
struct Head {
    /// Without its values.
    event: Event,
    fields: usize,
    concerns: usize,
    arrived: u64,
}

impl<T> Default for Row<T> {
    fn default() -> Row<T> {
        Row {
            all: Vec::new(),
            filled: 0,
        }
    }
}

impl<T: Default> Row<T> {
    /// Exchanges these for spent ones.
    fn put(&mut self, these: &mut [T]) {
        let first = self.filled;
        self.filled += these.len();
        if self.all.len() < self.filled {
            self.all.resize_with(self.filled, T::default);
        }
        these.swap_with_slice(&mut self.all[first..self.filled]);
    }

    /// All, and nothing is left that counts.
    fn take(&mut self) -> &mut [T] {
        let filled = std::mem::take(&mut self.filled);
        &mut self.all[..filled]
    }
}

impl Parcel {
    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Puts an event behind the others. Gives back its memory.
    pub(crate) fn put(&mut self, mut judged: Judged) -> Judged {
        self.values.put(&mut judged.event.values);
        self.concerns.put(&mut judged.concerns);
        self.heads.push(Head {
            fields: judged.event.values.len(),
            concerns: judged.concerns.len(),
            event: Event {
                values: Box::default(),
                ..judged.event
            },
            arrived: judged.arrived,
        });
        judged
    }

    /// Takes all events out, each in memory that is spare here.
    pub(crate) fn unpack(
        &mut self,
        judgements: &mut Judgements,
        spare: &mut Spare,
        mut to: impl FnMut(Judged),
    ) {
        let (mut values, mut concerns) = (self.values.take(), self.concerns.take());
        for head in self.heads.drain(..) {
            let (sent, behind) = values.split_at_mut(head.fields);
            values = behind;
            let mut event = Event {
                values: spare.take(head.fields),
                ..head.event
            };
            event.values.swap_with_slice(sent);
            let (sent, behind) = concerns.split_at_mut(head.concerns);
            concerns = behind;
            let mut list = judgements.list();
            for concern in sent {
                list.push(judgements.exchange(concern));
            }
            to(Judged {
                event,
                concerns: list,
                arrived: head.arrived,
            });
        }
    }

    /// Throws all events away.
    pub(crate) fn clear(&mut self) {
        self.heads.clear();
        self.values.filled = 0;
        self.concerns.filled = 0;
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

    fn concerns(judged: &Judged) -> Vec<u32> {
        let concerns = judged.concerns.iter();
        concerns.map(|concern| concern.member).collect()
    }

    #[test]
    fn events_of_any_number_of_fields_arrive_as_they_were_however_often_a_parcel_is_used() {
        let (mut parcel, mut spare) = (Parcel::default(), Spare::default());
        let mut judgements = Judgements::default();
        for round in 0..5 {
            let long = format!("a text too long to be kept in place, {round}");
            let sent = [
                vec![],
                vec!["a", long.as_str()],
                vec!["b"],
                vec![long.as_str(), "c", "d"],
            ];
            let sent = &sent[..4 - round % 3];
            for (at, texts) in (0..).zip(sent) {
                let mut event = judged(texts);
                event.concerns.extend((0..at).map(|nth| Concern {
                    member: 10 * at + nth,
                    ..Concern::default()
                }));
                let back = parcel.put(event);
                spare.give(back.event.values);
                judgements.give(back.concerns);
            }
            assert_eq!(parcel.len(), sent.len());
            let mut came = Vec::new();
            parcel.unpack(&mut judgements, &mut spare, |judged| came.push(judged));
            assert!(parcel.is_empty());
            assert_eq!(came.iter().map(texts).collect::<Vec<_>>(), sent);
            let concern = [vec![], vec![10], vec![20, 21], vec![30, 31, 32]];
            let seen: Vec<_> = came.iter().map(concerns).collect();
            assert_eq!(seen, concern[..seen.len()]);
            for judged in came {
                spare.give(judged.event.values);
                judgements.give(judged.concerns);
            }
        }
    }

    #[test]
    fn a_shard_keeps_its_memory_and_that_of_a_long_text_is_exchanged() {
        let (mut parcel, mut here, mut there) =
            (Parcel::default(), Spare::default(), Spare::default());
        let mut judgements = Judgements::default();
        let long = |tail: &str| format!("a text too long to be kept in place{tail}");
        let place = |judged: &Judged| judged.event.values.as_ptr();
        let text = |values: &[Value]| values[0].as_str().map(str::as_ptr);
        there.give(judged(&[&long("!")]).event.values);
        let sent = judged(&[&long("?")]);
        let (box_of, text_of) = (place(&sent), text(&sent.event.values));
        let back = parcel.put(sent);
        assert_eq!(place(&back), box_of);
        here.give(back.event.values);
        let mut came = None;
        parcel.unpack(&mut judgements, &mut there, |judged| came = Some(judged));
        let came = came.expect("one");
        assert_ne!(place(&came), box_of);
        assert_eq!(text(&came.event.values), text_of);
        // What lay there goes home with the parcel.
        let next = parcel.put(judged(&[&long(".")]));
        assert_eq!(next.event.values[0].as_str(), Some(long("!").as_str()));
    }
}
