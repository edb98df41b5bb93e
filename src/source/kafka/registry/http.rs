//! Questions to a registry by HTTP: the interface that Confluent's, Karapace's and Apicurio's registries share.

use std::io::Read as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::Agent;
use ureq::http::{StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::address::RegistryAddress;
use super::asked::{Answer, Knowing};
use crate::event::formats::avro::SCHEMA_BYTES_MAX;

/// How long one question may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a registry may take to answer before a run begins.
const BEGIN_MAX: Duration = Duration::from_secs(3);

/// Schemas that a schema may use of others.
const REFERENCES_MAX: usize = 64;

/// What a registry says when it does not know a schema.
const NO_SCHEMA: u32 = 40_403;

/// How much of a refusal is shown.
const SHOWN_BYTES: usize = 200;

/// Asks registries that know the same schemas, one after the other until one answers.
pub(super) struct Client {
    agent: Agent,
    address: RegistryAddress,
    authorization: Option<String>,
}

/// A schema as registries tell it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

/// Where another schema is.
#[derive(Deserialize)]
struct Reference {
    subject: String,
    version: i64,
}

/// What a registry says when it does not tell what it was asked for.
#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
}

impl Client {
    /// Prepares to ask; asks nothing.
    ///
    /// # Errors
    /// When a variable is not set, or the file with certificates cannot be read.
    pub(super) fn new(address: &RegistryAddress) -> Result<Client, String> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &address.ca {
            let wrong = |reason: String| format!("registry.ca \"{}\": {reason}", path.display());
            let pem =
                std::fs::read(path).map_err(|error| wrong(format!("{error}; check the path")))?;
            let mut certificates: Vec<Certificate<'static>> = Vec::new();
            for item in parse_pem(&pem) {
                if let Ok(PemItem::Certificate(certificate)) = item {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err(wrong("has no certificate; write one in PEM".to_owned()));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(ANSWER_MAX))
            .tls_config(tls.build())
            .user_agent(concat!("leitmotif/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Client {
            agent: Agent::new_with_config(config),
            address: address.clone(),
            authorization: address.authorization()?,
        })
    }

    /// Looks whether some registry answers, for some seconds.
    ///
    /// # Errors
    /// When none does, or it does not answer to whoever asks.
    pub(super) fn check(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let away = match self.each(|url| self.is_there(&format!("{url}/"))) {
                Ok(()) => return Ok(()),
                Err(Missed::Away(reason)) => reason,
                Err(Missed::Refused(reason)) => return Err(reason),
                Err(Missed::Unknown | Missed::Unusable(_)) => {
                    unreachable!("nothing was asked for")
                }
            };
            if began.elapsed() >= BEGIN_MAX {
                return Err(format!(
                    "no schema registry answers at {}: {away}; start it, or check registry=",
                    self.address
                ));
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// Asks one after the other until one answers.
    fn each<T>(&self, mut ask: impl FnMut(&str) -> Result<T, Missed>) -> Result<T, Missed> {
        let (mut away, mut unknown) = (None, None);
        for url in &self.address.urls {
            match ask(url) {
                // Another one may answer, or know more.
                Err(missed @ Missed::Away(_)) => away = Some(missed),
                Err(missed @ Missed::Unknown) => unknown = Some(missed),
                answered => return answered,
            }
        }
        // One that is away may know what others do not.
        let missed = away.or(unknown);
        Err(missed.expect("an address has at least one registry"))
    }

    fn schema(&self, url: &str, id: u32) -> Result<(String, Vec<String>), Missed> {
        let told = self.told(&format!("{url}/schemas/ids/{id}"))?;
        let kind = told.schema_type.as_deref().unwrap_or("AVRO");
        if kind != "AVRO" {
            return Err(Missed::Unusable(format!(
                "schema {id} is one of {kind}, where Avro is read"
            )));
        }
        let mut others: Vec<String> = Vec::new();
        let mut seen: Vec<(String, i64)> = Vec::new();
        let mut left = told.references.unwrap_or_default();
        while let Some(Reference { subject, version }) = left.pop() {
            let place = (subject, version);
            if seen.contains(&place) {
                continue;
            }
            if seen.len() == REFERENCES_MAX {
                return Err(Missed::Unusable(format!(
                    "schema {id} uses more than {REFERENCES_MAX} others"
                )));
            }
            let (subject, version) = (encoded(&place.0), place.1);
            let other = self.told(&format!("{url}/subjects/{subject}/versions/{version}"))?;
            others.push(other.schema);
            left.extend(other.references.unwrap_or_default());
            seen.push(place);
        }
        Ok((told.schema, others))
    }

    fn told(&self, url: &str) -> Result<Told, Missed> {
        let body = self.get(url)?;
        serde_json::from_slice(&body).map_err(|error| {
            Missed::Refused(format!(
                "{url} answers what is no schema ({error}); check registry="
            ))
        })
    }

    /// Whether somebody answers, whatever is said there.
    fn is_there(&self, url: &str) -> Result<(), Missed> {
        let (status, body) = self.answered(url)?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(refused(url, status, &body)),
            status if is_passing(status) => Err(refused(url, status, &body)),
            _ => Ok(()),
        }
    }

    fn get(&self, url: &str) -> Result<Vec<u8>, Missed> {
        match self.answered(url)? {
            (status, body) if status.is_success() => Ok(body),
            (status, body) => Err(refused(url, status, &body)),
        }
    }

    fn answered(&self, url: &str) -> Result<(StatusCode, Vec<u8>), Missed> {
        let mut request = self.agent.get(url).header(
            header::ACCEPT,
            "application/vnd.schemaregistry.v1+json, application/json",
        );
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                return Err(Missed::Refused(format!("{url}: {error}; check registry=")));
            }
            Err(error) => return Err(Missed::Away(format!("{url}: {error}"))),
        };
        let status = response.status();
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        // A schema within its answer may have an escape for each character.
        let read = reader
            .take(6 * SCHEMA_BYTES_MAX as u64)
            .read_to_end(&mut body);
        match read {
            Ok(_) => Ok((status, body)),
            Err(error) => Err(Missed::Away(format!("{url}: {error}"))),
        }
    }
}

impl Knowing for Client {
    fn ask(&self, id: u32) -> Answer {
        match self.each(|url| self.schema(url, id)) {
            Ok((text, others)) => Answer::Schema(text, others),
            Err(Missed::Unknown) => Answer::Unknown,
            Err(Missed::Unusable(reason)) => Answer::Unusable(reason),
            Err(Missed::Away(reason)) => Answer::Away(reason),
            Err(Missed::Refused(reason)) => Answer::Refused(reason),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
enum Missed {
    Unknown,
    Unusable(String),
    Away(String),
    Refused(String),
}

/// What a status means that is none of success.
fn refused(url: &str, status: StatusCode, body: &[u8]) -> Missed {
    let told = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]);
    let told = told.trim();
    if is_passing(status) {
        return Missed::Away(format!("{url} answers {status}"));
    }
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        return Missed::Refused(format!(
            "{url} answers {status}; check registry.user and registry.password, or registry.token"
        ));
    }
    let refusal = serde_json::from_slice::<Refusal>(body).ok();
    match refusal {
        Some(Refusal { error_code }) if error_code == NO_SCHEMA => Missed::Unknown,
        _ => Missed::Refused(format!(
            "{url} answers {status}: {told}; check that registry= is the address of a schema registry"
        )),
    }
}

/// Whether waiting may mend it.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS
}

/// A subject as a part of an address.
fn encoded(subject: &str) -> String {
    let mut text = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}
