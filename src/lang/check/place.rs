//! Where negations may stand: rules about the whole sequence, judged once it is lowered.

use super::outline::Outline;
use super::report::{Place, Report};
use super::sequence::is_nullable;
use crate::lang::pattern::{Absence, Element, Node, Reach, Sequence};

/// Checks the place of every negation.
pub(super) fn check(report: &mut Report, outline: &Outline<'_>, body: &Sequence, bounded: bool) {
    let mut rules = Rules {
        report,
        outline,
        bounded,
    };
    rules.outermost(body);
    rules.inner(
        body,
        Ends {
            first: true,
            last: true,
        },
    );
}

struct Rules<'a, 'r> {
    report: &'r mut Report,
    outline: &'a Outline<'a>,
    /// True with `within`.
    bounded: bool,
}

/// Whether a sequence can be the start or the end of the pattern.
#[derive(Clone, Copy)]
struct Ends {
    first: bool,
    last: bool,
}

impl Rules<'_, '_> {
    /// `not … for`: followed by something positive or by the end.
    fn outermost(&mut self, sequence: &Sequence) {
        for pair in sequence.elements.windows(2) {
            let [Element::Absent(absence), Element::Absent(_)] = pair else {
                continue;
            };
            if matches!(absence.reach, Reach::For(_)) {
                let place = self.place(absence);
                self.report
                    .add("E111", place, "`not … for` is followed by an event or by the end", "followed by another `not`")
                    .help("put `not … for` last, or between two events: `then not x then not y for 5m then b`");
            }
        }
    }

    fn place(&self, absence: &Absence) -> Place {
        self.outline.step(absence.step).place
    }

    fn inner(&mut self, sequence: &Sequence, ends: Ends) {
        let mut last = ends.last;
        let mut trailing = vec![false; sequence.elements.len()];
        for (at, element) in sequence.elements.iter().enumerate().rev() {
            trailing[at] = last;
            last = last
                && match element {
                    Element::Positive { node, .. } => is_nullable(node),
                    Element::Absent(_) => true,
                };
        }
        let mut first = ends.first;
        for (at, element) in sequence.elements.iter().enumerate() {
            match element {
                Element::Absent(absence) => self.absence(absence, first, trailing[at]),
                Element::Positive { node, .. } => {
                    self.node(
                        node,
                        Ends {
                            first,
                            last: trailing[at],
                        },
                    );
                    first = false;
                }
            }
        }
    }

    fn absence(&mut self, absence: &Absence, first: bool, last: bool) {
        let place = self.place(absence);
        let name = &self.outline.step(absence.step).name;
        match absence.reach {
            Reach::For(_) => {}
            _ if first => {
                self.report
                    .add(
                        "E109",
                        place,
                        format!("nothing comes before `not {name}`"),
                        "from when on?",
                    )
                    .help(format!(
                        "say for how long before the first event: `not {name} for 10m then …`"
                    ));
            }
            _ if last && !self.bounded => {
                self.report
                    .add(
                        "E110",
                        place,
                        format!("`not {name}` at the end never comes true"),
                        "until when?",
                    )
                    .help(format!(
                        "add `within 10m` after the last step, or write `not {name} for 10m`"
                    ));
            }
            _ => {}
        }
    }

    fn node(&mut self, node: &Node, ends: Ends) {
        // Inside a group a sequence is never the outermost one, whatever its place.
        match node {
            Node::Step(_) => {}
            Node::Choice(sequences) | Node::All(sequences) => {
                for sequence in sequences {
                    self.group(sequence, ends);
                }
            }
            Node::Loop(repeat) => self.node(&repeat.body, ends),
        }
    }

    fn group(&mut self, sequence: &Sequence, ends: Ends) {
        for element in &sequence.elements {
            if let Element::Absent(absence) = element
                && matches!(absence.reach, Reach::For(_))
            {
                let place = self.place(absence);
                self.report
                    .add(
                        "E111",
                        place,
                        "`not … for` stands in the outermost sequence only",
                        "in a group",
                    )
                    .help("move it out of the group, or write `not …` without `for`");
            }
        }
        self.inner(sequence, ends);
    }
}
