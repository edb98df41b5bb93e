//! Where records are pushed to: an address that is listened at, and a path below it.

#[cfg(feature = "http")]
mod commit;
#[cfg(feature = "http")]
mod received;

use std::fmt;

use super::{Error, Source};

#[cfg(feature = "http")]
pub use received::HttpPush;

/// What `http:` names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or number of this machine.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
    /// Begins with a slash.
    pub path: String,
}

impl Address {
    /// Takes what follows `http:` apart: `//127.0.0.1:8080/events`, `:8080`. Without a host it is the loopback address: who wants to be reached from outside says so.
    pub(crate) fn parse(text: &str) -> Result<Address, String> {
        const SUCH: &str = "write http://127.0.0.1:8080/events";
        let text = text.strip_prefix("//").unwrap_or(text);
        let (authority, path) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, "/"),
        };
        if let Some(mark) = path.find(['?', '#']) {
            return Err(format!("a path has no \"{}\"; {SUCH}", &path[mark..=mark]));
        }
        let (host, port) = authority
            .rsplit_once(':')
            .ok_or_else(|| format!("no port is named; {SUCH}"))?;
        let port = port
            .parse()
            .map_err(|_| format!("\"{port}\" is no port; {SUCH}"))?;
        Ok(Address {
            host: if host.is_empty() { "127.0.0.1" } else { host }.to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

#[cfg(feature = "http")]
impl Address {
    /// The number behind the name.
    fn resolve(&self) -> std::io::Result<std::net::SocketAddr> {
        use std::net::ToSocketAddrs as _;
        let mut found = format!("{}:{}", self.host, self.port).to_socket_addrs()?;
        found
            .next()
            .ok_or_else(|| std::io::Error::other("the name means no address"))
    }
}

/// Begins to listen.
#[cfg(feature = "http")]
pub(super) fn open(address: &Address) -> Result<Box<dyn Source>, Error> {
    Ok(Box::new(HttpPush::open(address)?))
}

/// Cannot listen.
#[cfg(not(feature = "http"))]
pub(super) fn open(address: &Address) -> Result<Box<dyn Source>, Error> {
    Err(Error(format!(
        "source \"{address}\": this build lacks http; build it with the feature http, or pipe records to -"
    )))
}
