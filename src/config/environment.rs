//! The environment: `LEITMOTIF_*` variables that set single values, and `${VAR}` in the texts of a file.

use std::collections::BTreeMap;

use super::mistake::{Error, Mistake, unknown};
use super::setting::{Kind, SETTINGS, Scalar};
use super::{Overrides, RawConfig};
use crate::source::options::expanded;

/// What variables that are meant for this program begin with.
const PREFIX: &str = "LEITMOTIF_";

/// The variable that names the configuration file, for whoever opens it.
const FILE: &str = "LEITMOTIF_CONFIG";

/// Variables of the tests of this program, which may be set while they run it.
const OF_TESTS: [&str; 3] = ["LEITMOTIF_CASES", "LEITMOTIF_KILLS", "LEITMOTIF_SEED"];

/// Environment variables with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Of a process, or made up.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
        Environment(variables.into_iter().collect())
    }

    /// The configuration file that the environment names.
    #[must_use]
    pub fn config_file(&self) -> Option<&str> {
        self.0.get(FILE).map(String::as_str)
    }

    /// A text with every `${VAR}` replaced by the variable's value; `$${` stands for `${`.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        expanded(text, |name| self.0.get(name).cloned())
    }
}

impl RawConfig {
    /// What the `LEITMOTIF_*` variables say.
    ///
    /// # Errors
    /// When one has no meaning or a value can't be read; all such are named.
    pub fn from_environment(environment: &Environment) -> Result<RawConfig, Error> {
        let known: Vec<(String, &str)> = SETTINGS.iter().map(|key| (variable(key), *key)).collect();
        let mut mistakes = Vec::new();
        let mut overrides = Overrides::default();
        for (name, value) in &environment.0 {
            if !name.starts_with(PREFIX) || name == FILE || OF_TESTS.contains(&name.as_str()) {
                continue;
            }
            let set = match known.iter().find(|(variable, _)| variable == name) {
                Some((_, key)) => overrides.set(
                    key,
                    &Scalar {
                        text: value.clone(),
                        kind: Kind::Untyped,
                    },
                ),
                None => {
                    let mut names: Vec<&str> =
                        known.iter().map(|(name, _)| name.as_str()).collect();
                    names.push(FILE);
                    Err(unknown("environment variable", name, &names))
                }
            };
            mistakes.extend(set.err().map(|message| Mistake {
                place: name.clone(),
                message,
            }));
        }
        Error::if_any(mistakes)?;
        Ok(RawConfig {
            overrides,
            ..RawConfig::default()
        })
    }
}

/// `type-field` -> `LEITMOTIF_TYPE_FIELD`
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('-', "_"))
}
