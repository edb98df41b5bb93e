//! The ways on from a taken step: every walk through the pattern's tree to a next step or to the end.

use std::rc::Rc;

use crate::lang::pattern::{
    Absence, Appetite, Connector, Contiguity, Element, Loop, Node, Sequence, StepId,
};

/// What is still to be walked through after the current place, innermost first.
pub(crate) type Rest<'p> = Option<Rc<Frame<'p>>>;

/// A place inside one construct of the tree.
#[derive(Debug)]
pub(crate) enum Frame<'p> {
    /// Inside a sequence; goes on with the element of this number.
    Sequence {
        sequence: &'p Sequence,
        next: usize,
        rest: Rest<'p>,
    },
    /// Inside `all`; these are left.
    All {
        left: Vec<&'p Sequence>,
        rest: Rest<'p>,
    },
    /// Inside a repeat of a loop.
    Repeat {
        of: &'p Loop,
        /// Repeats begun so far, this one included.
        count: u32,
        /// How many takes there were when this repeat began.
        takes_before: usize,
        /// How many takes there were when the loop began.
        takes_before_loop: usize,
        rest: Rest<'p>,
    },
}

/// What governs the wait at the end of a walk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules<'p> {
    /// The connector before the element last entered; a group's first element has that of the group.
    pub(crate) connector: Option<Connector>,
    /// Negations crossed.
    pub(crate) absences: Vec<&'p Absence>,
    /// Greedy loops left or passed over while not full.
    pub(crate) left: Vec<&'p Loop>,
}

/// Where a walk ends.
#[derive(Clone, Debug)]
pub(crate) enum Goal<'p> {
    /// Waits for a step.
    Step {
        step: StepId,
        /// The loop whose body the step is, when a repeat of it is begun here.
        begun: Option<Begun<'p>>,
        rest: Rest<'p>,
    },
    /// Has reached the end, out of the loop with this closer.
    End { closed: Option<Closed<'p>> },
}

/// A repeat of a loop over a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun<'p> {
    pub(crate) of: &'p Loop,
    /// How many takes there were when the loop began.
    pub(crate) takes_before_loop: usize,
}

/// A loop with a closer that was left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed<'p> {
    pub(crate) of: &'p Loop,
    /// How many takes there were when the loop began.
    pub(crate) takes_before_loop: usize,
}

/// A way on.
#[derive(Clone, Debug)]
pub(crate) struct Way<'p> {
    pub(crate) goal: Goal<'p>,
    pub(crate) rules: Rules<'p>,
}

/// The ways into a pattern, most preferred first.
pub(crate) fn ways_in(body: &Sequence) -> Vec<Way<'_>> {
    let mut walk = Walk {
        takes: 0,
        ways: Vec::new(),
    };
    walk.enter_sequence(body, Rules::default(), None);
    walk.ways
}

/// The ways on after a take, most preferred first. `takes` counts the take itself.
pub(crate) fn ways_on<'p>(rest: &Rest<'p>, takes: usize) -> Vec<Way<'p>> {
    let mut walk = Walk {
        takes,
        ways: Vec::new(),
    };
    walk.leave(rest.clone(), Rules::default(), None);
    walk.ways
}

struct Walk<'p> {
    takes: usize,
    ways: Vec<Way<'p>>,
}

impl<'p> Walk<'p> {
    /// Goes on after a construct. `closed` is the loop with a closer that was left just now.
    fn leave(&mut self, rest: Rest<'p>, rules: Rules<'p>, closed: Option<Closed<'p>>) {
        let Some(frame) = rest else {
            // A walk from start to end without a take would be an empty candidate.
            if self.takes > 0 {
                self.ways.push(Way {
                    goal: Goal::End { closed },
                    rules,
                });
            }
            return;
        };
        match &*frame {
            Frame::Sequence {
                sequence,
                next,
                rest,
            } => {
                if *next < sequence.elements.len() {
                    self.enter_element(sequence, *next, rules, rest.clone());
                } else {
                    self.leave(rest.clone(), rules, closed);
                }
            }
            Frame::All { left, rest } => {
                if left.is_empty() {
                    self.leave(rest.clone(), rules, None);
                } else {
                    let connector = Some(plain(Contiguity::SkipTillNext));
                    self.enter_all(left, Rules { connector, ..rules }, rest);
                }
            }
            Frame::Repeat {
                of,
                count,
                takes_before,
                takes_before_loop,
                rest,
            } => {
                let bound_something = self.takes > *takes_before;
                if bound_something {
                    self.decide(of, *count, *takes_before_loop, rules, rest);
                }
            }
        }
    }

    fn enter_sequence(&mut self, sequence: &'p Sequence, rules: Rules<'p>, rest: Rest<'p>) {
        self.enter_element(sequence, 0, rules, rest);
    }

    fn enter_element(
        &mut self,
        sequence: &'p Sequence,
        at: usize,
        rules: Rules<'p>,
        rest: Rest<'p>,
    ) {
        let after = Some(Rc::new(Frame::Sequence {
            sequence,
            next: at + 1,
            rest,
        }));
        match &sequence.elements[at] {
            Element::Absent(absence) => {
                let mut rules = rules;
                rules.absences.push(absence);
                self.leave(after, rules, None);
            }
            Element::Positive { connector, node } => {
                // The connector of a sequence's first element is what stands before the group.
                let own = if at == 0 { None } else { Some(*connector) };
                self.enter_node(node, own, rules, after);
            }
        }
    }

    /// `own` is the connector before the node; without one, what governs already.
    fn enter_node(
        &mut self,
        node: &'p Node,
        own: Option<Connector>,
        rules: Rules<'p>,
        rest: Rest<'p>,
    ) {
        let governed = Rules {
            connector: own.or(rules.connector),
            ..rules
        };
        match node {
            Node::Step(step) => {
                self.ways.push(Way {
                    goal: Goal::Step {
                        step: *step,
                        begun: None,
                        rest,
                    },
                    rules: governed,
                });
            }
            Node::Choice(alternatives) => {
                for sequence in alternatives {
                    self.enter_sequence(sequence, governed.clone(), rest.clone());
                }
            }
            Node::All(members) => {
                self.enter_all(&members.iter().collect::<Vec<_>>(), governed, &rest);
            }
            Node::Loop(of) => self.enter_loop(of, governed, &rest),
        }
    }

    fn enter_all(&mut self, left: &[&'p Sequence], rules: Rules<'p>, rest: &Rest<'p>) {
        for (at, member) in left.iter().enumerate() {
            let mut others = left.to_vec();
            others.remove(at);
            let after = Some(Rc::new(Frame::All {
                left: others,
                rest: rest.clone(),
            }));
            self.enter_sequence(member, rules.clone(), after);
        }
    }

    fn enter_loop(&mut self, of: &'p Loop, governed: Rules<'p>, rest: &Rest<'p>) {
        let takes_before_loop = self.takes;
        let pass_over = |walk: &mut Walk<'p>| {
            if of.min == 0 {
                let mut rules = governed.clone();
                if of.appetite == Appetite::Greedy {
                    rules.left.push(of);
                }
                walk.leave(rest.clone(), rules, None);
            }
        };
        match of.appetite {
            Appetite::Greedy => {
                self.repeat(of, 1, takes_before_loop, governed.clone(), rest);
                pass_over(self);
            }
            Appetite::Reluctant => {
                pass_over(self);
                self.repeat(of, 1, takes_before_loop, governed.clone(), rest);
            }
        }
    }

    /// Begins the repeat of this number.
    fn repeat(
        &mut self,
        of: &'p Loop,
        count: u32,
        takes_before_loop: usize,
        rules: Rules<'p>,
        rest: &Rest<'p>,
    ) {
        let rest = rest.clone();
        let takes_before = self.takes;
        let after = Some(Rc::new(Frame::Repeat {
            of,
            count,
            takes_before,
            takes_before_loop,
            rest,
        }));
        match &of.body {
            Node::Step(step) => {
                let begun = Some(Begun {
                    of,
                    takes_before_loop,
                });
                self.ways.push(Way {
                    goal: Goal::Step {
                        step: *step,
                        begun,
                        rest: after,
                    },
                    rules,
                });
            }
            body => self.enter_node(body, None, rules, after),
        }
    }

    /// After a repeat: another one, or out of the loop.
    fn decide(
        &mut self,
        of: &'p Loop,
        count: u32,
        takes_before_loop: usize,
        rules: Rules<'p>,
        rest: &Rest<'p>,
    ) {
        let full = of.max.is_some_and(|max| count >= max);
        let again = |walk: &mut Walk<'p>| {
            if !full {
                let connector = Some(plain(of.contiguity));
                let rules = Rules {
                    connector,
                    ..rules.clone()
                };
                walk.repeat(of, count + 1, takes_before_loop, rules, rest);
            }
        };
        let out = |walk: &mut Walk<'p>| {
            if count >= of.min {
                let mut rules = rules.clone();
                let closed = of.closer.is_some().then_some(Closed {
                    of,
                    takes_before_loop,
                });
                if of.appetite == Appetite::Greedy && !full && closed.is_none() {
                    rules.left.push(of);
                }
                walk.leave(rest.clone(), rules, closed);
            }
        };
        match of.appetite {
            Appetite::Greedy => {
                again(self);
                out(self);
            }
            Appetite::Reluctant => {
                out(self);
                again(self);
            }
        }
    }
}

fn plain(contiguity: Contiguity) -> Connector {
    Connector {
        contiguity,
        after: None,
        within: None,
    }
}

/// The steps with which a repeat of a loop can begin.
pub(crate) fn first_steps(node: &Node) -> Vec<StepId> {
    let mut steps = Vec::new();
    add_first_of_node(node, &mut steps);
    steps
}

/// Adds the first steps; true if the node can be passed over.
fn add_first_of_node(node: &Node, steps: &mut Vec<StepId>) -> bool {
    match node {
        Node::Step(step) => {
            steps.push(*step);
            false
        }
        Node::Choice(alternatives) => {
            let mut passable = false;
            for sequence in alternatives {
                passable |= add_first_of_sequence(sequence, steps);
            }
            passable
        }
        Node::All(members) => {
            let mut passable = true;
            for sequence in members {
                passable &= add_first_of_sequence(sequence, steps);
            }
            passable
        }
        Node::Loop(of) => add_first_of_node(&of.body, steps) || of.min == 0,
    }
}

fn add_first_of_sequence(sequence: &Sequence, steps: &mut Vec<StepId>) -> bool {
    sequence.elements.iter().all(|element| match element {
        Element::Positive { node, .. } => add_first_of_node(node, steps),
        Element::Absent(_) => true,
    })
}
