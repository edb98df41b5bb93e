//! Where registries are, and who asks.

use std::fmt;
use std::path::PathBuf;

use crate::source::options::Options;
#[cfg(any(test, feature = "kafka"))]
use crate::source::options::expanded;

/// Registries that know the same schemas, and as whom they are asked.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    /// At least one; without a slash at the end.
    pub(super) urls: Vec<String>,
    /// `${VAR}` in them stands for environment variables, as everywhere in options.
    pub(super) credentials: Credentials,
    /// A file with certificates of those who may vouch for the registry.
    pub(super) ca: Option<PathBuf>,
}

/// As whom a registry is asked.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Nobody,
    Basic { user: String, password: String },
    Bearer(String),
}

impl RegistryAddress {
    /// Takes the options that are about it; `None` if there are none.
    pub(crate) fn take(options: &mut Options<'_>) -> Result<Option<RegistryAddress>, String> {
        const SUCH: &str = "write registry=http://HOST:8081";
        let registry = options.text("registry");
        let (mut user, mut password, mut token, mut ca) = (None, None, None, None);
        for (name, value) in options.beginning_with("registry.") {
            let place = match name {
                "user" => &mut user,
                "password" => &mut password,
                "token" => &mut token,
                "ca" => &mut ca,
                other => {
                    return Err(format!(
                        "no option \"registry.{other}\"; options are registry.ca, registry.password, registry.token, registry.user"
                    ));
                }
            };
            *place = Some(value.to_owned());
        }
        let Some(registry) = registry else {
            return match (user, password, token, ca) {
                (None, None, None, None) => Ok(None),
                _ => Err(format!("registry.… of which registry; {SUCH} besides")),
            };
        };
        let url = |text: &str| {
            let rest = text
                .strip_prefix("http://")
                .or_else(|| text.strip_prefix("https://"));
            match rest {
                Some(rest) if rest.contains('@') => Err(
                    "registry=: names and passwords are no part of the address; write registry.user=… and registry.password=${VAR} besides".to_owned(),
                ),
                Some(rest) if !rest.is_empty() && !rest.starts_with('/') => {
                    Ok(text.trim_end_matches('/').to_owned())
                }
                _ => Err(format!("registry={text} is no address; {SUCH}")),
            }
        };
        let urls: Result<Vec<String>, String> = registry.split(',').map(url).collect();
        let credentials = match (user, password, token) {
            (None, None, None) => Credentials::Nobody,
            (Some(user), Some(password), None) => Credentials::Basic { user, password },
            (None, None, Some(token)) => Credentials::Bearer(token),
            (_, _, Some(_)) => {
                return Err(
                    "registry.token goes without registry.user and registry.password; keep one"
                        .to_owned(),
                );
            }
            _ => {
                return Err(
                    "registry.user and registry.password belong together; write both".to_owned(),
                );
            }
        };
        Ok(Some(RegistryAddress {
            urls: urls?,
            credentials,
            ca: ca.map(PathBuf::from),
        }))
    }

    /// What says who asks, as HTTP has it.
    ///
    /// # Errors
    /// When an environment variable is not set.
    #[cfg(any(test, feature = "kafka"))]
    pub(super) fn authorization(&self) -> Result<Option<String>, String> {
        let resolved = |name: &str, text: &str| {
            expanded(text, |variable| std::env::var(variable).ok())
                .map_err(|reason| format!("registry.{name}: {reason}"))
        };
        Ok(match &self.credentials {
            Credentials::Nobody => None,
            Credentials::Basic { user, password } => {
                let pair = format!(
                    "{}:{}",
                    resolved("user", user)?,
                    resolved("password", password)?
                );
                Some(format!("Basic {}", base64(pair.as_bytes())))
            }
            Credentials::Bearer(token) => Some(format!("Bearer {}", resolved("token", token)?)),
        })
    }
}

/// Bytes as HTTP wants names and passwords.
#[cfg(any(test, feature = "kafka"))]
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit > three.len() {
                text.push('=');
            } else {
                let at = (bits >> (18 - 6 * digit)) & 63;
                text.push(char::from(DIGITS[at as usize]));
            }
        }
    }
    text
}

/// Without credentials.
impl fmt::Display for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.urls.join(","))
    }
}

/// Without credentials.
impl fmt::Debug for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str) -> Result<Option<RegistryAddress>, String> {
        let mut options = Options::parse(text)?;
        RegistryAddress::take(&mut options)
    }

    #[test]
    fn registries_and_who_asks_are_told_apart_and_secrets_are_never_shown() {
        assert_eq!(take("").unwrap(), None);
        let plain = take("registry=http://a:8081/,https://b/apis/ccompat/v7").unwrap();
        let plain = plain.expect("an address");
        assert_eq!(plain.urls, ["http://a:8081", "https://b/apis/ccompat/v7"]);
        assert_eq!(plain.authorization(), Ok(None));
        let basic = "registry=http://a&registry.user=Aladdin&registry.password=open sesame";
        let basic = take(basic).unwrap().expect("an address");
        assert_eq!(
            basic.authorization(),
            Ok(Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()))
        );
        let shown = format!("{basic} {basic:?}");
        assert!(
            !shown.contains("sesame") && shown.contains("http://a"),
            "{shown}"
        );
        let token = take("registry=http://a&registry.token=${LEITMOTIF_NOT_SET}").unwrap();
        let error = token.expect("an address").authorization().unwrap_err();
        assert!(
            error.starts_with("registry.token: environment variable"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_way_out() {
        let check = |text: &str, wanted: &str| {
            let error = take(text).expect_err(text);
            assert!(error.contains(wanted), "{text}: {error}");
        };
        check(
            "registry=a:8081",
            "registry=a:8081 is no address; write registry=http://",
        );
        check("registry=http://", "is no address");
        check("registry=http://u:p@a", "write registry.user=");
        check("registry.user=a", "registry.… of which registry");
        check("registry=http://a&registry.user=a", "write both");
        check(
            "registry=http://a&registry.user=a&registry.password=b&registry.token=c",
            "keep one",
        );
        check(
            "registry=http://a&registry.usr=a",
            "no option \"registry.usr\"",
        );
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let wanted = [
            "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy",
        ];
        assert_eq!(texts.map(|text| base64(text.as_bytes())), wanted);
    }
}
