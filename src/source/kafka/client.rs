//! Clients of Kafka: how they are made, what they say, and what is said when they fail.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};

use super::assignment::Found;
use super::cluster::Cluster;
use crate::lang::suggest::nearest;

/// How long a cluster may take to answer before a run begins.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// After so long a cluster that said why it does not answer is given up.
const REFUSED_AFTER: Duration = Duration::from_secs(3);

/// How long each try of a question lasts.
const TRY: Duration = Duration::from_secs(1);

/// How many topics are named where one is not there.
const SHOWN_TOPICS: usize = 8;

/// The setting that gives a member of a group a name that lasts.
pub(super) const INSTANCE: &str = "group.instance.id";

/// What a client says, for the log; and the last failure of a connection, for messages.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    failure: Mutex<Option<String>>,
}

impl Ear {
    /// Takes a line of the client's log.
    pub(crate) fn hear(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        // `[thrd:a:9092/bootstrap]: a:9092/bootstrap: Connect to …`
        let told = line.split_once("]: ").map_or(line, |(_, rest)| rest);
        if facility == "FAIL" || facility == "ERROR" {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            *failure = Some(told.to_owned());
        }
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, "kafka: {told}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, "kafka: {told}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(facility, "kafka: {told}"),
        }
    }

    /// The last failure of a connection.
    pub(crate) fn failure(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }
}

/// A consumer that only asks or reads what it is told to.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    pub(crate) ear: Ear,
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.ear.hear(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "kafka: {reason}");
    }
}

impl ConsumerContext for Listener {}

pub(crate) type Consumer = BaseConsumer<Listener>;

/// What every client of a cluster is told. What the user has set wins over `defaults`.
///
/// # Errors
/// When a variable that a setting names is not set.
pub(crate) fn config(
    cluster: &Cluster,
    defaults: &[(&str, String)],
) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    config.set("bootstrap.servers", cluster.brokers());
    config.set("client.id", "leitmotif");
    for (name, value) in defaults {
        config.set(*name, value.as_str());
    }
    for (name, value) in cluster.resolved()? {
        // Of a member: the group's offsets are committed by others in its name, and those are none.
        if name != INSTANCE {
            config.set(name, value);
        }
    }
    Ok(config)
}

/// A consumer of a cluster.
///
/// # Errors
/// When a setting is not known or does not fit.
pub(crate) fn consumer(
    cluster: &Cluster,
    group: &str,
    defaults: &[(&str, String)],
) -> Result<Consumer, String> {
    let mut config = config(cluster, defaults)?;
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Records that are gone end the run: nothing is passed over quietly.
        .set("auto.offset.reset", "error");
    config
        .create_with_context(Listener::default())
        .map_err(|error| unmade(&error))
}

/// Why a client could not be made.
pub(crate) fn unmade(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, name, value) if !name.is_empty() => {
            let known = reason.contains("No such configuration property");
            match known {
                true => format!(
                    "kafka.{name} is no setting of the client; librdkafka's CONFIGURATION.md has all of them"
                ),
                false => format!(
                    "kafka.{name} cannot be \"{}\": {reason}",
                    hidden(name, value)
                ),
            }
        }
        KafkaError::ClientCreation(reason) => format!("{reason}; see to its kafka.… settings"),
        other => other.to_string(),
    }
}

/// A value, unless it may be secret.
fn hidden<'a>(name: &str, value: &'a str) -> &'a str {
    let secret = ["password", "secret", "token", "pem", "oauthbearer.config"];
    match secret.iter().any(|part| name.contains(part)) {
        true => "…",
        false => value,
    }
}

/// Asks until there is an answer, for some seconds. `serve` lets the client say what it has to say.
///
/// # Errors
/// What is wrong, and the way out.
pub(crate) fn asked<T>(
    cluster: &Cluster,
    ear: &Ear,
    serve: impl Fn(),
    mut ask: impl FnMut(Duration) -> KafkaResult<T>,
) -> Result<T, String> {
    let began = Instant::now();
    loop {
        let error = match ask(TRY) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        for _ in 0..100 {
            serve();
        }
        let passing = error.rdkafka_error_code().is_some_and(is_passing);
        let elapsed = began.elapsed();
        if !passing {
            return Err(error.to_string());
        }
        let failure = ear.failure();
        if elapsed > ANSWER_MAX || elapsed > REFUSED_AFTER && failure.is_some() {
            let seconds = elapsed.as_secs();
            let reason = failure.unwrap_or_else(|| error.to_string());
            return Err(format!(
                "no broker answers at {cluster} within {seconds}s: {reason}; start it, or check the address and the kafka.… settings"
            ));
        }
    }
}

/// True if waiting may mend it.
pub(crate) fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, CoordinatorLoadInProgress, CoordinatorNotAvailable,
        LeaderNotAvailable, NetworkException, NotCoordinator, NotLeaderForPartition,
        OperationTimedOut, RequestTimedOut, Resolve, TimedOutQueue, UnstableOffsetCommit,
        WaitingForCoordinator,
    };
    matches!(
        code,
        AllBrokersDown
            | BrokerTransportFailure
            | CoordinatorLoadInProgress
            | CoordinatorNotAvailable
            | LeaderNotAvailable
            | NetworkException
            | NotCoordinator
            | NotLeaderForPartition
            | OperationTimedOut
            | RequestTimedOut
            | Resolve
            | TimedOutQueue
            | UnstableOffsetCommit
            | WaitingForCoordinator
    )
}

/// What the cluster calls itself, whatever addresses lead there; empty if it does not say.
pub(crate) fn cluster_id<C: ClientContext>(client: &Client<C>) -> String {
    client.fetch_cluster_id(ANSWER_MAX).unwrap_or_default()
}

/// All topics that may be seen.
pub(crate) fn found<C: ClientContext>(
    client: &Client<C>,
    wait: Duration,
) -> KafkaResult<Vec<Found>> {
    let metadata = client.fetch_metadata(None, wait)?;
    let found = metadata.topics().iter().map(|topic| Found {
        name: topic.name().to_owned(),
        partitions: topic.partitions().len(),
    });
    Ok(found.collect())
}

/// What the cluster says is wrong with a topic.
pub(crate) fn fault<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    wait: Duration,
) -> KafkaResult<Option<RDKafkaErrorCode>> {
    let metadata = client.fetch_metadata(Some(topic), wait)?;
    let error = metadata.topics().first().and_then(|one| one.error());
    match error.map(RDKafkaErrorCode::from) {
        // A broker that makes topics when they are asked for needs a moment.
        Some(code) if is_passing(code) => Err(KafkaError::MetadataFetch(code)),
        fault => Ok(fault),
    }
}

/// What is said of a topic that is not among those that may be seen.
pub(crate) fn missing<C: ClientContext>(
    client: &Client<C>,
    cluster: &Cluster,
    topic: &str,
    found: &[Found],
) -> String {
    // Asked for by its name, it is told apart from one that may not be seen.
    if let Ok(Some(RDKafkaErrorCode::TopicAuthorizationFailed)) = fault(client, topic, TRY) {
        return format!(
            "topic \"{topic}\" may not be looked at by this user at {cluster}; ask for the right to, or set kafka.sasl.username to one who has it"
        );
    }
    let visible = visible(found);
    let near = nearest(topic, visible.iter().copied());
    let names = names(found);
    let there = near.map_or(names, |near| format!("did you mean \"{near}\"?"));
    format!("topic \"{topic}\" does not exist at {cluster}; create it, or check the name ({there})")
}

/// Which topics there are, for messages.
pub(crate) fn names(found: &[Found]) -> String {
    let mut names = visible(found);
    if names.is_empty() {
        return "there is none that may be seen".to_owned();
    }
    let more = if names.len() > SHOWN_TOPICS {
        ", …"
    } else {
        ""
    };
    names.truncate(SHOWN_TOPICS);
    format!("there are: {}{more}", names.join(", "))
}

/// Topics that are not the broker's own, in order.
fn visible(found: &[Found]) -> Vec<&str> {
    let names = found.iter().map(|topic| topic.name.as_str());
    let mut names: Vec<&str> = names.filter(|name| !name.starts_with("__")).collect();
    names.sort_unstable();
    names
}
