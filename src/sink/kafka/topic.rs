//! A topic to write to, as it is written: `kafka://a:9092,b:9092/alerts?retry=10m`.

use std::fmt;
use std::time::Duration;

use crate::source::kafka::{Cluster, Settings};
use crate::source::options::Options;
use crate::source::spec::is_name;
use crate::time::Span;

/// Names of a topic have at most so many characters.
const NAME_BYTES_MAX: usize = 249;

/// The shortest time that may be allowed: less than one try takes.
const RETRY_MIN: Span = Span(1_000);

/// And the longest; whoever wants more wants no end.
const RETRY_MAX: Span = Span(7 * 86_400_000);

/// One topic of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Where it is.
    pub cluster: Cluster,
    /// Its name.
    pub name: String,
    /// How long a row is sent again before the run ends; `None` for ever.
    pub retry: Option<Duration>,
    /// The field of what is emitted that is the records' key; `None`: that of the pattern.
    pub key: Option<String>,
}

impl Topic {
    /// Takes what follows `kafka:` apart.
    pub(crate) fn parse(text: &str) -> Result<Topic, String> {
        const SUCH: &str = "write such as kafka://127.0.0.1:9092/alerts";
        let text = text.strip_prefix("//").unwrap_or(text);
        let (authority, rest) = text
            .split_once('/')
            .ok_or_else(|| format!("names no topic; {SUCH}"))?;
        let (name, options) = rest.split_once('?').unwrap_or((rest, ""));
        let mut cluster = Cluster::parse(authority)?;
        let mut options = Options::parse(options)?;
        cluster.take_settings(&mut options)?;
        let retry = options.span("retry", RETRY_MIN..=RETRY_MAX)?;
        let key = options.text("key").map(str::to_owned);
        if let Some(key) = &key
            && !is_name(key)
        {
            return Err(format!(
                "\"{key}\" is no name of a field; write key=FIELD, one of those that are emitted"
            ));
        }
        options.end()?;
        let valid = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(valid) {
            return Err(format!(
                "\"{name}\" is no name of a topic, which has letters, digits and . - _ only; {SUCH}"
            ));
        }
        Ok(Topic {
            cluster,
            name: name.to_owned(),
            retry: retry.map(|span| Duration::from_millis(span.0.unsigned_abs())),
            key,
        })
    }

    /// Adds settings of the client where it has none of that name.
    pub(crate) fn settle(&mut self, settings: &Settings) {
        self.cluster.settle(settings);
    }
}

/// Without options, which may be secret.
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}", self.cluster, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_topic_and_options_are_told_apart() {
        let topic =
            Topic::parse("//a,b:9093/alerts.v1?retry=10m&key=shop&kafka.linger.ms=5").unwrap();
        assert_eq!(topic.key.as_deref(), Some("shop"));
        assert_eq!(topic.to_string(), "kafka://a:9092,b:9093/alerts.v1");
        assert_eq!(topic.retry, Some(Duration::from_secs(600)));
        let settings = topic.cluster.resolved().unwrap();
        assert_eq!(settings, [("linger.ms", "5".to_owned())]);
        assert_eq!(Topic::parse("a/alerts").unwrap().retry, None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_way_out() {
        let check = |text: &str, wanted: &str| {
            let error = Topic::parse(text).expect_err(text);
            assert!(error.contains(wanted), "{text}: {error}");
        };
        check("//a", "names no topic; write such as kafka://");
        check("//a/b,c", "\"b,c\" is no name of a topic");
        check("//a/", "\"\" is no name of a topic");
        check(
            "//a/b?group=g",
            "no option \"group\"; options are kafka.…, key, retry",
        );
        check("//a/b?key=a.b", "\"a.b\" is no name of a field");
        check("//a/b?retry=1ms", "retry=1ms is not between 1s and 7d");
        check(
            "//a/b?kafka.transactional.id=x",
            "it follows from the state",
        );
    }
}
