//! The memory of spent events, for events to come.
//!
//! An event's values are one allocation, and each of its long strings another. Both go round instead: what was matched is kept
//! here, and the next event of as many fields is written over it. So in the steady state decoding neither allocates nor frees.

use crate::event::Value;

/// How many bytes are kept of events of as many fields: enough for all that wait in a shard, at six fields.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// The memory of a string longer than this is given up: a few giants would be all that is kept.
pub(super) const TEXT_BYTES_MAX: usize = 256;

/// The values of spent events; what they say is of no concern.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spare {
    /// By the number of fields.
    shelves: Vec<Shelf>,
}

/// Values of events of as many fields; what came last leaves first, for it is still in the processor's cache.
#[derive(Clone, Debug, Default)]
struct Shelf {
    kept: Vec<Kept>,
    /// At most [`KEPT_BYTES_MAX`].
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    values: Box<[Value]>,
    bytes: usize,
}

impl Spare {
    /// So many values to be written over.
    #[inline]
    pub(crate) fn take(&mut self, fields: usize) -> Box<[Value]> {
        let kept = self.shelves.get_mut(fields).and_then(Shelf::take);
        kept.unwrap_or_else(|| vec![Value::Null; fields].into_boxed_slice())
    }

    /// The same values once more.
    pub(crate) fn copy(&mut self, values: &[Value]) -> Box<[Value]> {
        let mut copy = self.take(values.len());
        for (into, value) in copy.iter_mut().zip(values) {
            match (into, value) {
                (Value::Str(into), Value::Str(text)) => {
                    into.clear();
                    into.push_str(text);
                }
                (into, value) => *into = value.clone(),
            }
        }
        copy
    }

    /// Keeps the values of a spent event, unless as many are kept as may be.
    pub(crate) fn give(&mut self, mut values: Box<[Value]>) {
        let fields = values.len();
        if self.shelves.len() <= fields {
            self.shelves.resize_with(fields + 1, Shelf::default);
        }
        let shelf = &mut self.shelves[fields];
        let bytes = size_of::<Kept>() + size_of_val(&*values) + trim(&mut values);
        if shelf.bytes + bytes <= KEPT_BYTES_MAX {
            shelf.bytes += bytes;
            shelf.kept.push(Kept { values, bytes });
        }
    }
}

impl Shelf {
    fn take(&mut self) -> Option<Box<[Value]>> {
        let Kept { values, bytes } = self.kept.pop()?;
        self.bytes -= bytes;
        Some(values)
    }
}

/// Gives up what is too large to be kept; tells what is left of long strings, in bytes.
fn trim(values: &mut [Value]) -> usize {
    let mut bytes = 0;
    for value in values {
        match value {
            Value::Str(text) if text.is_heap_allocated() => {
                if text.capacity() > TEXT_BYTES_MAX {
                    *value = Value::Null;
                } else {
                    bytes += text.capacity();
                }
            }
            // Others may hold on to it.
            Value::List(_) => *value = Value::Null,
            _ => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(texts: &[&str]) -> Box<[Value]> {
        texts.iter().map(|text| Value::from(*text)).collect()
    }

    #[test]
    fn values_come_back_to_events_of_as_many_fields() {
        let mut spare = Spare::default();
        let (two, three) = (event(&["a", "b"]), event(&["c", "d", "e"]));
        let places = (two.as_ptr(), three.as_ptr());
        spare.give(two);
        spare.give(three);
        assert_eq!(spare.take(4).len(), 4);
        let (two, three) = (spare.take(2), spare.take(3));
        assert_eq!((two.as_ptr(), three.as_ptr()), places);
        assert_eq!(*spare.take(2), [Value::Null, Value::Null]);
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_comes_back() {
        let mut spare = Spare::default();
        let long = "x".repeat(TEXT_BYTES_MAX);
        for _ in 0..2 * KEPT_BYTES_MAX / TEXT_BYTES_MAX {
            spare.give(event(&[&long]));
        }
        let held = |spare: &Spare| {
            let kept = spare.shelves.iter().flat_map(|shelf| &shelf.kept);
            let values = kept.flat_map(|kept| &*kept.values);
            values
                .filter_map(|value| Some(value.as_str()?.len()))
                .sum::<usize>()
        };
        assert!((KEPT_BYTES_MAX * 3 / 4..=KEPT_BYTES_MAX).contains(&held(&spare)));
        assert!(!spare.shelves[1].kept.is_empty());
        while !spare.shelves[1].kept.is_empty() {
            spare.take(1);
        }
        assert_eq!(spare.shelves[1].bytes, 0);
        spare.give(event(&[&"x".repeat(TEXT_BYTES_MAX + 1)]));
        assert_eq!(*spare.take(1), [Value::Null]);
    }
}
