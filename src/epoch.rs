//! Numbers of checkpoints.

use std::fmt;
use std::str::FromStr;

/// A stretch of a run between two barriers, and the checkpoint at its end. The first is 1; none is ever used twice on one state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Before the first checkpoint.
    pub const NONE: Epoch = Epoch(0);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who writes checkpoints of a partition that instances of a group hand on to each other: another number each time that somebody begins, so that what one writes never
/// takes the place of what another wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u64);

/// Which checkpoint counts, as outputs that commit by themselves keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its number.
    pub epoch: Epoch,
    /// Who wrote it, where instances hand partitions on.
    pub owner: Option<Owner>,
}

/// Of a run that has its state to itself.
impl From<Epoch> for Mark {
    fn from(epoch: Epoch) -> Mark {
        Mark { epoch, owner: None }
    }
}

/// 16 hex digits.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// `17`, or `17 by 0123456789abcdef`.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.owner {
            None => self.epoch.fmt(f),
            Some(owner) => write!(f, "{} by {owner}", self.epoch),
        }
    }
}

/// What is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMark;

impl FromStr for Owner {
    type Err = NoMark;

    fn from_str(text: &str) -> Result<Owner, NoMark> {
        let whole = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = whole.then(|| u64::from_str_radix(text, 16).ok());
        number.flatten().map(Owner).ok_or(NoMark)
    }
}

impl FromStr for Mark {
    type Err = NoMark;

    fn from_str(text: &str) -> Result<Mark, NoMark> {
        let (epoch, owner) = match text.split_once(" by ") {
            None => (text, None),
            Some((epoch, owner)) => (epoch, Some(owner.parse()?)),
        };
        let epoch = epoch.parse().map(Epoch).map_err(|_| NoMark)?;
        Ok(Mark { epoch, owner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is() {
        for mark in [
            Mark::from(Epoch(17)),
            Mark {
                epoch: Epoch(3),
                owner: Some(Owner(0xab)),
            },
        ] {
            assert_eq!(mark.to_string().parse(), Ok(mark));
        }
        for other in ["", "-1", "17 by ", "17 by ab", "17 by 00000000000000zz"] {
            assert_eq!(other.parse::<Mark>(), Err(NoMark), "{other}");
        }
    }
}
