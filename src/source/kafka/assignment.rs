//! Which partitions a run reads, and under which numbers.
//!
//! One instance reads all partitions of its topics. A member of a consumer group is told its own by the broker (`member`), and opens each by itself.
//!
//! **Numbers.** The engine knows a partition of a source by a number, by which it orders events of the same time and finds its state again. The topic that is
//! named first keeps the numbers of its partitions. Every other one, and all that a pattern found, have numbers above 65,535: a hash of the topic's name, then the
//! partition. So they stay the same when topics come and go; the one exception is a topic whose hash another one takes that comes before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use regex::Regex;

use super::topics::TopicName;

/// Bits of a number that tell the partition within its topic.
const PARTITION_BITS: u32 = 16;

/// How many partitions a topic may have.
pub(super) const PARTITIONS_MAX: usize = 1 << PARTITION_BITS;

/// How many topics a source may have.
pub(super) const TOPICS_MAX: usize = 10_000;

/// A topic that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub name: String,
    pub partitions: usize,
}

/// A partition that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub topic: Arc<str>,
    pub partition: i32,
    /// Unique in the source.
    pub number: u32,
}

/// Why there is nothing to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unassigned {
    /// This topic is not there.
    Missing(String),
    /// No topic matches this pattern.
    Unmatched(String),
    /// There are more topics, or this one has more partitions, than can be numbered.
    TooMany(String),
}

/// The partitions of the topics that are meant.
pub(super) fn assigned(names: &[TopicName], found: &[Found]) -> Result<Vec<Assigned>, Unassigned> {
    let mut topics: Vec<&Found> = Vec::new();
    for name in names {
        let before = topics.len();
        match name {
            TopicName::Named(name) => topics.extend(found.iter().find(|topic| topic.name == *name)),
            TopicName::Pattern { regex, written } => {
                let regex = Regex::new(regex).expect("it was compiled when it was read");
                let meant = |topic: &&Found| {
                    // Topics of the broker's own are meant only by who says so.
                    let own = topic.name.starts_with("__");
                    (!own || written.trim_start_matches('^').starts_with("__"))
                        && regex.is_match(&topic.name)
                };
                topics.extend(found.iter().filter(meant));
            }
        }
        if topics.len() == before {
            return Err(match name {
                TopicName::Named(name) => Unassigned::Missing(name.clone()),
                TopicName::Pattern { written, .. } => Unassigned::Unmatched(written.clone()),
            });
        }
    }
    let first = match &names[0] {
        TopicName::Named(name) => Some(name.as_str()),
        TopicName::Pattern { .. } => None,
    };
    topics.sort_by_key(|topic| (Some(topic.name.as_str()) != first, topic.name.as_str()));
    topics.dedup_by_key(|topic| topic.name.as_str());
    let mut taken = BTreeSet::new();
    let mut assigned = Vec::new();
    let many = topics.len() > TOPICS_MAX;
    for topic in topics {
        if many || topic.partitions > PARTITIONS_MAX {
            return Err(Unassigned::TooMany(topic.name.clone()));
        }
        let place = match Some(topic.name.as_str()) == first {
            true => 0,
            false => place(&topic.name, &mut taken),
        };
        let name: Arc<str> = topic.name.as_str().into();
        assigned.extend((0..topic.partitions as u32).map(|partition| Assigned {
            topic: Arc::clone(&name),
            partition: partition as i32,
            number: (u32::from(place) << PARTITION_BITS) | partition,
        }));
    }
    Ok(assigned)
}

/// The topic's own upper half of a number, never 0: its hash, or the next one that is free.
fn place(topic: &str, taken: &mut BTreeSet<u16>) -> u16 {
    let places = u32::from(u16::MAX);
    let mut place = hash(topic) % places;
    // There are far fewer topics than places.
    while !taken.insert(place as u16 + 1) {
        place = (place + 1) % places;
    }
    place as u16 + 1
}

/// FNV-1a, 32 bits: the same in every version.
fn hash(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(topics: &[(&str, usize)]) -> Vec<Found> {
        let found = |&(name, partitions): &(&str, usize)| Found {
            name: name.to_owned(),
            partitions,
        };
        topics.iter().map(found).collect()
    }

    fn names(text: &str) -> Vec<TopicName> {
        super::super::topics::Topics::parse(&format!("a/{text}"))
            .expect("an address")
            .names
    }

    /// Topic, partition and number of each.
    fn check(text: &str, topics: &[(&str, usize)]) -> Result<Vec<(String, i32, u32)>, Unassigned> {
        let assigned = assigned(&names(text), &found(topics))?;
        let row = |one: Assigned| (one.topic.to_string(), one.partition, one.number);
        Ok(assigned.into_iter().map(row).collect())
    }

    #[test]
    fn partitions_of_the_only_topic_keep_their_numbers() {
        let all = check("cards", &[("cards", 3), ("refunds", 2)]).unwrap();
        let numbers: Vec<u32> = all.iter().map(|(_, _, number)| *number).collect();
        assert_eq!(numbers, [0, 1, 2]);
    }

    #[test]
    fn numbers_stay_when_topics_come_and_go() {
        let few = check("cards,refunds", &[("cards", 2), ("refunds", 2)]).unwrap();
        let many = [("chargebacks", 1), ("refunds", 3), ("cards", 4)];
        for text in ["cards,refunds,chargebacks", "cards,chargebacks,refunds"] {
            let more = check(text, &many).unwrap();
            assert!(few.iter().all(|one| more.contains(one)), "{more:?}");
            let numbers: BTreeSet<u32> = more.iter().map(|one| one.2).collect();
            assert_eq!(numbers.len(), more.len());
        }
        let matched = check("c*", &many).unwrap();
        let again = check("c*", &[("cards", 4), ("chargebacks", 1), ("clocks", 1)]).unwrap();
        assert!(matched.iter().all(|one| again.contains(one)));
        // The hash is part of what is stored: it must never change.
        assert_eq!(few[2], ("refunds".to_owned(), 0, 3_845_914_624));
    }

    #[test]
    fn two_topics_of_one_hash_have_numbers_of_their_own() {
        let mut taken = BTreeSet::new();
        let first = place("refunds", &mut taken);
        assert_eq!(place("refunds", &mut taken), first + 1);
        taken.insert(u16::MAX);
    }

    #[test]
    fn a_pattern_means_what_is_there_but_nothing_of_the_brokers() {
        let topics = [("__consumer_offsets", 4), ("a-1", 1), ("a-2", 1), ("b", 1)];
        let names = |text| -> Vec<String> {
            let all = check(text, &topics).unwrap();
            all.into_iter().map(|(topic, _, _)| topic).collect()
        };
        assert_eq!(names("a-*"), ["a-1", "a-2"]);
        assert_eq!(names("^[ab]$"), ["b"]);
        assert_eq!(names("*"), ["a-1", "a-2", "b"]);
        assert_eq!(names("b,*"), ["b", "a-1", "a-2"]);
        assert_eq!(names("__*").len(), 4);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let topics = [("a", 1), ("b", 70_000)];
        assert_eq!(
            check("a,c", &topics),
            Err(Unassigned::Missing("c".to_owned()))
        );
        assert_eq!(
            check("a,c*", &topics),
            Err(Unassigned::Unmatched("c*".to_owned()))
        );
        assert_eq!(
            check("b", &topics),
            Err(Unassigned::TooMany("b".to_owned()))
        );
    }
}
