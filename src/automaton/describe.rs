//! What an automaton does, in words: for people who ask why something matched or did not.

use super::expression::StepMask;
use super::linear::Chosen;
use super::nfa::{Completion, Nfa, Target, Way};
use crate::lang::pattern::{Contiguity, StepId};

/// A way on, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOn {
    /// `None` before anything is bound.
    pub from: Option<Place>,
    /// `None` when it completes the match.
    pub to: Option<Place>,
    /// What may lie between, or when it completes.
    pub between: String,
    /// What else must hold.
    pub rules: Vec<String>,
}

/// How partial matches are represented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeClass {
    /// Running values per window; holds what windows there are, in words.
    Boundary(String),
    /// Events by step: partial matches are all the ways to choose among them, in loops all subsets, and never made.
    Stacks,
    /// First events of partial matches, and of each later step those that were bound: what waits for the same step goes on together. Of a loop at the beginning every event is a
    /// first one.
    Cohorts,
    /// Each partial match by itself, until a key has many: then those that wait alike go on together.
    Bundles,
    /// Each partial match by itself.
    Runs,
}

/// A position of the automaton: a step that was just bound. A step of `all(…)` has several positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 1.
    pub number: usize,
    /// The step.
    pub step: StepId,
}

impl Nfa {
    /// Every way on: by position, most preferred first.
    #[must_use]
    pub fn ways_on(&self) -> Vec<WayOn> {
        if let Some(window) = &self.window {
            return self.window_ways(window.describe());
        }
        let numbers = 0..self.positions.len();
        numbers.flat_map(|number| self.ways_from(number)).collect()
    }

    /// The ways on from a position, most preferred first.
    pub(super) fn ways_from(&self, number: usize) -> Vec<WayOn> {
        let position = &self.positions[number];
        let from = position.step.map(|step| Place { number, step });
        let ways = position.ways.iter();
        ways.map(|way| self.describe(from, way)).collect()
    }

    /// How partial matches are represented.
    #[must_use]
    pub fn class(&self) -> RuntimeClass {
        match (&self.window, &self.linear, &self.stacks) {
            (Some(window), ..) => RuntimeClass::Boundary(window.describe()),
            (None, Some(plan), _) if plan.chosen == Chosen::Yes => RuntimeClass::Cohorts,
            (None, _, Some(plan)) if plan.chosen == Chosen::Yes => RuntimeClass::Stacks,
            (None, ..) if self.together.is_some() => RuntimeClass::Bundles,
            (None, ..) => RuntimeClass::Runs,
        }
    }

    /// A window has no automaton to speak of: events go in until it closes.
    fn window_ways(&self, closes: String) -> Vec<WayOn> {
        let place = self
            .starters
            .steps()
            .next()
            .map(|step| Place { number: 1, step });
        let way = |from, to, between: String| WayOn {
            from,
            to,
            between,
            rules: Vec::new(),
        };
        vec![
            way(None, place, "opens a window that has none yet".to_owned()),
            way(place, place, "falls into the same window".to_owned()),
            way(place, None, closes),
        ]
    }

    fn describe(&self, from: Option<Place>, way: &Way) -> WayOn {
        let to = match way.target {
            Target::End(_) => None,
            Target::Position(at) => {
                let number = usize::from(at);
                self.positions
                    .get(number)
                    .and_then(|position| position.step)
                    .map(|step| Place { number, step })
            }
        };
        WayOn {
            from,
            to,
            between: self.between(from, way),
            rules: self.rules(from, way),
        }
    }

    fn name_of(&self, step: StepId) -> &str {
        self.steps
            .get(usize::from(step.0))
            .map_or("?", |step| step.name.as_str())
    }

    fn names_of(&self, steps: StepMask) -> String {
        let names: Vec<String> = steps
            .steps()
            .map(|step| format!("`{}`", self.name_of(step)))
            .collect();
        names.join(" or ")
    }

    fn between(&self, from: Option<Place>, way: &Way) -> String {
        match way.target {
            Target::End(Completion::AtOnce) => "at once".to_owned(),
            Target::End(Completion::Since(span)) => format!("when {span} have passed since"),
            Target::End(Completion::Within) => {
                "when `within` has passed since the first event".to_owned()
            }
            Target::End(Completion::SinceAnchor(span)) => {
                format!("when {span} have passed since the loop's first event")
            }
            Target::End(Completion::NextEvent) => {
                "at the next event, or when `within` has passed".to_owned()
            }
            Target::Position(_) if from.is_none() => "any event may start".to_owned(),
            Target::Position(at) => {
                let step = self
                    .positions
                    .get(usize::from(at))
                    .and_then(|position| position.step);
                let name = step.map_or("?", |step| self.name_of(step));
                match way.contiguity {
                    Contiguity::Strict => "no event between".to_owned(),
                    Contiguity::SkipTillNext => format!("skips events that do not fit `{name}`"),
                    Contiguity::SkipTillAny => {
                        "skips any events; every later one that fits makes a branch".to_owned()
                    }
                }
            }
        }
    }

    fn rules(&self, from: Option<Place>, way: &Way) -> Vec<String> {
        let mut rules = Vec::new();
        rules.extend(way.after.map(|span| format!("at least {span} later")));
        rules.extend(way.gap.map(|span| format!("at most {span} later")));
        if !way.between.is_empty() {
            rules.push(format!("no {} between", self.names_of(way.between)));
        }
        if !way.adjacent.is_empty() {
            rules.push(format!(
                "the next event is no {}",
                self.names_of(way.adjacent)
            ));
        }
        for (steps, span) in &way.holds {
            rules.push(format!("no {} for {span}", self.names_of(*steps)));
        }
        if from.is_none() {
            let leading = self.leading.iter().enumerate();
            let leading = leading.filter(|(at, _)| way.leading & (1 << at) != 0);
            rules.extend(leading.map(|(_, (step, span))| {
                format!("no `{}` in the {span} before", self.name_of(*step))
            }));
        }
        for wanted in &way.wanted {
            let names = self.names_of(wanted.steps);
            rules.push(match wanted.full {
                Some((_, most)) => {
                    format!("nothing that fits {names} is left out, up to {most} of them")
                }
                None => format!("nothing that fits {names} is left out"),
            });
        }
        rules.extend(
            way.guards
                .iter()
                .filter_map(|&(_, least, below)| repeats(least, below)),
        );
        rules.extend(
            way.unless
                .map(|until| format!("not if the event fits `{}`", self.name_of(until))),
        );
        rules.extend(
            way.until
                .map(|until| format!("until `{}`", self.name_of(until))),
        );
        rules
    }
}

/// A range of repeats; none when it says nothing.
fn repeats(least: u32, below: u32) -> Option<String> {
    match (least, below) {
        (0 | 1, u32::MAX) => None,
        (0, below) => Some(format!("after fewer than {below} repeats")),
        (least, u32::MAX) => Some(format!("after {least} repeats or more")),
        (least, below) if below == least + 1 => Some(format!("after {least} repeats")),
        (least, below) => Some(format!(
            "after {least} to {} repeats",
            below.saturating_sub(1)
        )),
    }
}
