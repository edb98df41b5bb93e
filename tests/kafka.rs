//! Sources and outputs of Kafka against Apache Kafka itself, which `scripts/kafka` fetches and runs.
//!
//! One broker serves all tests, each with topics of its own; those that stop a broker have one to themselves. Brokers end with this process, however it
//! ends. `KAFKA_BROKER=host:port` names one that is there already. Where Apache Kafka cannot be had, these tests are left out and say so, unless `CI` is
//! set: then they fail.

#![cfg(feature = "kafka")]

#[path = "kafka/broker.rs"]
mod broker;
#[path = "kafka/exactly_once.rs"]
mod exactly_once;
#[path = "kafka/formats.rs"]
mod formats;
#[path = "kafka/group.rs"]
mod group;
#[path = "kafka/keyed_anew.rs"]
mod keyed_anew;
#[path = "kafka/secured.rs"]
mod secured;
#[path = "kafka/sink.rs"]
mod sink;
#[path = "kafka/source.rs"]
mod source;
#[path = "kafka/transactions.rs"]
mod transactions;
