//! Whether a run can be one of a group's: every partition has to hold all that the patterns want to know of its keys.
//!
//! An instance that has partition 3 sees events of partition 3 of each topic, and keeps states of their keys. So the records' key has to be a part of every pattern's key:
//! then all events of a key lie in one partition. It may be one part of several, for `key card, merchant` is told apart by card first. Where patterns read what others
//! emit, that part has to come through unchanged.

use crate::embed::input::{event_type, unnamed};
use crate::embed::{Builder, Error, Input};
use crate::event::formats::Kinds;
use crate::event::{EventTypeId, Schema};
use crate::lang::pattern::{Expr, Pattern, Program};
use crate::sink::Target;
use crate::source::Place;
use crate::source::kafka::{TopicName, Topics};

/// A source of a group.
pub(super) struct Shared {
    pub topics: Topics,
    /// The types of its records.
    kinds: Vec<EventTypeId>,
    /// The field that is the records' key.
    key: String,
}

/// The sources of a run that can be one of a group's; never empty.
///
/// # Errors
/// Why it cannot be, and the way out.
pub(super) fn shared(
    group: &str,
    builder: &Builder,
    program: &Program,
) -> Result<Vec<Shared>, Error> {
    let wrong = |reason: String| Err(Error::configuration(format!("group \"{group}\": {reason}")));
    let Some(kept) = builder.kept() else {
        return wrong(
            "its instances hand their state on to each other; say where it lies with state"
                .to_owned(),
        );
    };
    if kept.has_beginning() {
        return wrong(
            "a savepoint is of a run that reads all partitions, and cannot be dealt to instances; begin without it".to_owned(),
        );
    }
    if let Some(target) = (builder.targets()?.iter()).find(|target| is_of_one_process(target)) {
        return wrong(format!(
            "output \"{target}\" can be written by one process alone; name a topic instead, such as kafka://127.0.0.1:9092/alerts"
        ));
    }
    if !(builder.targets()?.iter()).any(|target| matches!(target, Target::Kafka(_))) {
        return wrong(
            "the transactions of an output to Kafka decide what its instances have done; name one, such as --output kafka://127.0.0.1:9092/alerts".to_owned(),
        );
    }
    let mut shared = Vec::new();
    for (name, input) in builder.sources() {
        let told = source(group, builder, program, input);
        match told {
            Ok(source) => shared.push(source),
            Err(reason) => return wrong(format!("source \"{name}\": {reason}")),
        }
    }
    match keys(program, &shared) {
        Ok(()) => Ok(shared),
        Err(reason) => wrong(reason),
    }
}

/// Rows of several processes would mix there, or take each other's place.
fn is_of_one_process(target: &Target) -> bool {
    matches!(target, Target::File(_) | Target::Folder { .. })
}

fn source(
    group: &str,
    builder: &Builder,
    program: &Program,
    input: &Input,
) -> Result<Shared, String> {
    let spec = input.spec().map_err(|error| error.to_string())?;
    let Some(Place::Kafka(topics)) = spec.as_ref().map(|spec| &spec.place) else {
        return Err("instances share topics of Kafka, and this is none; write it to a topic first, or run it without a group".to_owned());
    };
    if let Some(pattern) = (topics.names.iter()).find(|name| !matches!(name, TopicName::Named(_))) {
        return Err(format!(
            "which topics match \"{pattern}\" may change, and with them what a partition holds; name the topics"
        ));
    }
    if let Some(other) = topics.group.as_ref().filter(|other| *other != group) {
        return Err(format!(
            "its offsets are kept with group \"{other}\"; leave group= out, or write the same"
        ));
    }
    let Some(key) = topics.key_field() else {
        return Err("which field is the records' key; say so behind the address with ?key=FIELD, for events of a key have to lie in one partition".to_owned());
    };
    let told = input.told_type();
    let told = told.or(spec.as_ref().and_then(|spec| spec.event_type.as_deref()));
    let kinds = match told {
        Some(name) => vec![event_type(program, name).map_err(|error| error.to_string())?],
        None => match unnamed(builder.type_field_name(), program) {
            Kinds::One(ty) => vec![ty],
            Kinds::Told(_) => declared(&program.schema).collect(),
        },
    };
    Ok(Shared {
        key: key.to_owned(),
        kinds,
        topics: (**topics).clone(),
    })
}

fn declared(schema: &Schema) -> impl Iterator<Item = EventTypeId> + '_ {
    let types = (0..).zip(&schema.types);
    let declared = types.filter(|(_, ty)| ty.time.is_some());
    declared.map(|(number, _)| EventTypeId(number))
}

/// That every pattern's key has the records' key as a part.
fn keys(program: &Program, sources: &[Shared]) -> Result<(), String> {
    // Of each pattern, the parts of its key that are the records' key.
    let mut good: Vec<Vec<usize>> = vec![Vec::new(); program.patterns.len()];
    for id in &program.order {
        let number = id.0 as usize;
        let pattern = &program.patterns[number];
        if pattern.key.is_empty() {
            return Err(format!(
                "pattern `{}` has no key, so it wants to see all partitions at once; give it a key, or run it by itself without a group",
                pattern.name
            ));
        }
        let parts = 0..pattern.key.len();
        good[number] = parts
            .filter(|part| is_record_key(program, sources, &good, pattern, *part))
            .collect();
        if good[number].is_empty() {
            return Err(elsewhere(program, sources, pattern));
        }
    }
    Ok(())
}

/// Whether one part of a pattern's key is the records' key in all that it reads.
fn is_record_key(
    program: &Program,
    sources: &[Shared],
    good: &[Vec<usize>],
    pattern: &Pattern,
    part: usize,
) -> bool {
    pattern.inputs.iter().all(|input| {
        let ty = program.schema.get(input.ty);
        let field = usize::from(input.key[part].0);
        if ty.time.is_some() {
            let path = ty.fields[field].path.join(".");
            let of_type = sources
                .iter()
                .filter(|source| source.kinds.contains(&input.ty));
            return of_type.clone().all(|source| source.key == path);
        }
        program.patterns.iter().zip(good).all(|(from, good)| {
            let emits = from.emits.iter().map(|emit| (emit.stream, &emit.fields));
            let timeout = from
                .timeout
                .iter()
                .map(|timeout| (timeout.stream, &timeout.fields));
            let rows = emits
                .chain(timeout)
                .filter(|(stream, _)| *stream == input.ty);
            rows.map(|(_, fields)| &fields[field])
                .all(|value| matches!(value, Expr::Key(part) if good.contains(part)))
        })
    })
}

fn elsewhere(program: &Program, sources: &[Shared], pattern: &Pattern) -> String {
    let name = &pattern.name;
    let key = pattern.key.join(", ");
    let streams = (pattern.inputs.iter()).map(|input| program.schema.get(input.ty));
    if let Some(stream) = streams.clone().find(|ty| ty.time.is_none()) {
        return format!(
            "pattern `{name}` is keyed by `{key}` and reads `{}`, whose rows of one such key may come from several partitions; have them written to a topic keyed by it, by an output such as kafka://127.0.0.1:9092/{}?key={key}, and run `{name}` in a group that reads that",
            stream.name, stream.name
        );
    }
    let keys: Vec<String> = (sources.iter())
        .map(|source| format!("{} by `{}`", source.topics, source.key))
        .collect();
    format!(
        "pattern `{name}` is keyed by `{key}`, and its topics are keyed otherwise ({}), so that events of one key lie in several partitions; have them written to a topic keyed by it first, by an output such as kafka://127.0.0.1:9092/by-{key}?key={key}, or run `{name}` by itself without a group",
        keys.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;

    const EVENTS: &str = "event Txn { ts: timestamp time, card: string, shop: string, n: int }
        event Refund { ts: timestamp time, number: string, shop: string }";

    /// What is wrong with these patterns, read from these sources.
    fn check(patterns: &str, sources: &[&str]) -> Result<(), String> {
        checked(patterns, sources, "kafka://a/alerts")
    }

    fn checked(patterns: &str, sources: &[&str], output: &str) -> Result<(), String> {
        let mut builder = Engine::builder()
            .patterns_text("p.motif", format!("{EVENTS} {patterns}"))
            .state("scratch")
            .outputs(output);
        for source in sources {
            builder = builder.source(*source, *source);
        }
        let program = builder.compiled().map_err(|error| error.to_string())?;
        let shared = shared("fraud", &builder, &program);
        shared.map(|_| ()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(patterns: &str, sources: &[&str], why: &str) {
        let error = check(patterns, sources).expect_err("it cannot be shared");
        assert!(error.starts_with("group \"fraud\": "), "{error}");
        assert!(error.contains(why), "{error}");
    }

    const BY_CARD: &str =
        "pattern p { key card match a: Txn then b: Txn within 1m emit two { card, n: b.n } }";
    const CARDS: &str = "Txn=kafka://a/cards?key=card";

    #[test]
    fn a_key_that_is_the_records_key_is_shared() {
        assert_eq!(check(BY_CARD, &[CARDS]), Ok(()));
        let by_both =
            "pattern p { key shop, card match a: Txn then b: Txn within 1m emit two { card } }";
        assert_eq!(check(by_both, &[CARDS]), Ok(()));
        assert_eq!(
            check(BY_CARD, &["Txn=kafka://a/cards,more?key=card&group=fraud"]),
            Ok(())
        );
    }

    #[test]
    fn another_key_or_none_is_refused_with_the_way_out() {
        let by_shop = "pattern p { key shop match a: Txn then b: Txn within 1m emit two { shop } }";
        refused(
            by_shop,
            &[CARDS],
            "pattern `p` is keyed by `shop`, and its topics are keyed otherwise",
        );
        let unkeyed =
            "pattern p { unkeyed match a: Txn where n == 1 within 1m emit one { n: a.n } }";
        refused(unkeyed, &[CARDS], "pattern `p` has no key");
        refused(BY_CARD, &["Txn=kafka://a/cards"], "?key=FIELD");
    }

    #[test]
    fn types_that_meet_in_a_key_have_to_be_keyed_alike() {
        let both = "pattern p { key who = Txn.card | Refund.number match a: Txn then b: Refund within 1m emit two { who } }";
        let refunds = |key: &str| format!("Refund=kafka://a/refunds?key={key}");
        assert_eq!(check(both, &[CARDS, &refunds("number")]), Ok(()));
        refused(both, &[CARDS, &refunds("shop")], "are keyed otherwise");
    }

    #[test]
    fn streams_between_patterns_have_to_carry_the_key() {
        let on = |field: &str, key: &str| {
            format!(
                "{BY_CARD} pattern q {{ key {key} match x: two then y: two within 1h emit many {{ {field} }} }}"
            )
        };
        assert_eq!(check(&on("card", "card"), &[CARDS]), Ok(()));
        refused(
            &on("n", "n"),
            &[CARDS],
            "reads `two`, whose rows of one such key may come from several partitions",
        );
    }

    #[test]
    fn what_only_one_process_can_do_is_refused() {
        refused(
            BY_CARD,
            &["Txn=generate:cards"],
            "instances share topics of Kafka",
        );
        refused(
            BY_CARD,
            &["Txn=kafka://a/cards-*?key=card"],
            "name the topics",
        );
        refused(
            BY_CARD,
            &["Txn=kafka://a/cards?key=card&group=other"],
            "leave group= out",
        );
        for (output, why) in [
            ("rows.ndjson", "can be written by one process alone"),
            ("-", "name one, such as --output kafka://"),
        ] {
            let error = checked(BY_CARD, &[CARDS], output).expect_err("no");
            assert!(error.contains(why), "{error}");
        }
    }
}
