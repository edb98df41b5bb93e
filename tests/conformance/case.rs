//! A conformance case as its file has it.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Event numbers by element name.
pub type Binding = BTreeMap<String, Vec<usize>>;

#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    #[serde(default)]
    pub mode: Mode,
    pub key: Option<String>,
    pub tie_break: Option<String>,
    pub pattern: Pattern,
    pub events: Vec<Event>,
    pub watermarks: Option<Vec<Mark>>,
    pub advance_to_ms: Option<i64>,
    pub expected: Option<Vec<Binding>>,
    #[serde(default)]
    pub ordered: bool,
    pub match_ts: Option<Vec<i64>>,
    pub timeouts: Option<Vec<TimedOut>>,
    pub late: Option<Vec<usize>>,
    #[serde(default)]
    pub throws: Option<bool>,
    /// Set for cases that only say whether the pattern can be built.
    pub rejected: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    AsFed,
    ProcessingTime,
    EventTime,
}

#[derive(Debug, Deserialize)]
pub struct Pattern {
    pub skip: Skip,
    pub within_ms: Option<i64>,
    pub elements: Vec<Element>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Skip {
    Word(String),
    To(BTreeMap<String, String>),
}

#[derive(Debug, Deserialize)]
pub struct Element {
    pub name: Option<String>,
    pub group: Option<Vec<Element>>,
    pub contiguity: String,
    #[serde(rename = "where")]
    pub condition: Option<String>,
    pub min: i64,
    pub max: Option<i64>,
    pub optional: bool,
    pub greedy: bool,
    pub inner: String,
    pub until: Option<String>,
    pub within_previous_ms: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub id: i64,
    pub name: String,
    pub price: f64,
    pub ts: i64,
    #[serde(rename = "type")]
    pub kind: String,
    pub volume: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub struct Mark {
    pub after: usize,
    pub ts: MarkTime,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum MarkTime {
    At(i64),
    /// `"END"`: no event follows.
    End(#[allow(dead_code)] String),
}

#[derive(Debug, Deserialize)]
pub struct TimedOut {
    pub at_ms: i64,
    #[serde(flatten)]
    pub binding: Binding,
}
