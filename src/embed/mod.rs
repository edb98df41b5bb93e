//! Leitmotif inside another program: [`Engine::builder`] and what comes of it.
//!
//! A façade over [`engine`](crate::engine): it puts together what that needs, turns names into numbers and rows into [`Match`]es. It
//! matches nothing itself. All of it is at the root of the crate.

mod builder;
mod engine;
mod error;
pub mod files;
#[cfg(feature = "kafka")]
mod group;
mod input;
mod keeping;
mod matches;
mod names;
mod running;
mod states;
mod supervised;
mod tables;
#[cfg(test)]
mod tests;

pub use builder::Builder;
pub use engine::{Engine, Finished, Pushed};
pub use error::{Error, ErrorKind};
#[cfg(feature = "kafka")]
pub use group::{Joined, Joining};
pub use input::Input;
pub use keeping::Keeping;
pub use matches::{Match, MatchId};
pub use running::Running;
pub use states::{Condition, States, Stored};
pub use supervised::{Supervised, Supervision};
