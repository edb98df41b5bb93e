//! From the tree of a pattern to positions and the ways on between them.
//!
//! A way on is a walk through the tree from one bound step to the next (`docs/semantics.md`). The tree is laid out flat with parents, `all` is
//! unfolded into the orders it allows, and from each step every walk is followed depth first, in order of preference.

use smallvec::SmallVec;

use super::expression::StepMask;
use super::nfa::{Completion, Counting, Position, Target, Wanted, Way};
use crate::lang::pattern::{
    Absence, Appetite, Closer, Connector, Contiguity, Element, Loop, Node, Reach, Sequence, StepId,
};
use crate::time::Span;

/// The most ways on from one position: one bit each in a word.
const WAYS_MAX: usize = 64;

/// The most positions of an automaton.
const POSITIONS_MAX: usize = 4_096;

/// The most walks looked at for one position, those that lead nowhere included.
const WALKS_MAX: usize = 10_000;

/// Why a pattern has no automaton.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooComplex {
    what: &'static str,
    limit: usize,
}

impl std::fmt::Display for TooComplex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "its alternatives and optional steps combine to more than {} {}; split it into several patterns",
            self.limit, self.what
        )
    }
}

impl std::error::Error for TooComplex {}

/// Positions, the number of counters, and the absences that rule before the first event.
pub(crate) struct Walks {
    pub positions: Vec<Position>,
    pub counters: usize,
    pub leading: Vec<(StepId, Span)>,
}

/// Finds every position of `body` and every way on.
pub(crate) fn walks(body: &Sequence) -> Result<Walks, TooComplex> {
    let mut tree = Tree::default();
    let root = tree.sequence(body, None)?;
    tree.root = root;
    let mut positions = Vec::with_capacity(tree.leaves.len() + 1);
    let mut start = Walk {
        ways: Vec::new(),
        walked: 0,
        leading: Some(Vec::new()),
        tree: &tree,
    };
    start.enter(root, Draft::default())?;
    let leading = start.leading.unwrap_or_default();
    positions.push(position(None, start.ways));
    for &leaf in &tree.leaves {
        let Part::Step(step, _) = tree.nodes[leaf].part else {
            continue;
        };
        let mut walk = Walk {
            ways: Vec::new(),
            walked: 0,
            leading: None,
            tree: &tree,
        };
        walk.follow(leaf, Draft::default())?;
        positions.push(position(Some(step), walk.ways));
    }
    Ok(Walks {
        positions,
        counters: tree.counters,
        leading,
    })
}

/// The bit of an absence among those that rule before the first event. Each stands in the outermost sequence, so there are as few as steps.
fn lead(leading: &mut Vec<(StepId, Span)>, absence: (StepId, Span)) -> u64 {
    let known = leading.iter().position(|known| *known == absence);
    let at = known.unwrap_or(leading.len());
    if known.is_none() {
        leading.push(absence);
    }
    1 << at
}

fn position(step: Option<StepId>, ways: Vec<Way>) -> Position {
    let mut untils = StepMask::default();
    for way in &ways {
        for until in way
            .until
            .iter()
            .chain(way.wanted.iter().filter_map(|wanted| wanted.until.as_ref()))
        {
            untils.add(*until);
        }
    }
    Position { step, ways, untils }
}

/// The pattern laid out flat.
#[derive(Default)]
struct Tree {
    nodes: Vec<Place>,
    /// Steps, in order; the position of the n-th is n + 1.
    leaves: Vec<usize>,
    root: usize,
    counters: usize,
}

struct Place {
    /// The node it is part of, and its number there.
    parent: Option<(usize, usize)>,
    part: Part,
}

enum Part {
    /// A step and its position.
    Step(StepId, u16),
    Sequence(Vec<Item>),
    Choice(Vec<usize>),
    Loop {
        body: usize,
        plan: LoopPlan,
    },
}

enum Item {
    Absent(Absence),
    Positive(Connector, usize),
}

struct LoopPlan {
    min: u32,
    max: Option<u32>,
    appetite: Appetite,
    contiguity: Contiguity,
    until: Option<StepId>,
    closer: Option<Closer>,
    /// Present when repeats have to be counted.
    counter: Option<u8>,
    /// Steps with which a repeat can begin.
    first: StepMask,
}

impl LoopPlan {
    /// When the loop is complete, if a closer other than a window says so.
    fn closes(&self) -> Option<Completion> {
        match self.closer {
            Some(Closer::Gap(span)) => Some(Completion::Since(span)),
            Some(Closer::For(span)) => Some(Completion::SinceAnchor(span)),
            Some(Closer::Window(_)) | None => None,
        }
    }
}

impl Tree {
    fn add(&mut self, parent: Option<(usize, usize)>, part: Part) -> Result<usize, TooComplex> {
        if self.nodes.len() >= POSITIONS_MAX {
            return Err(TooComplex {
                what: "places in one automaton",
                limit: POSITIONS_MAX,
            });
        }
        self.nodes.push(Place { parent, part });
        Ok(self.nodes.len() - 1)
    }

    fn sequence(
        &mut self,
        sequence: &Sequence,
        parent: Option<(usize, usize)>,
    ) -> Result<usize, TooComplex> {
        let at = self.add(parent, Part::Sequence(Vec::new()))?;
        let mut items = Vec::with_capacity(sequence.elements.len());
        for (number, element) in sequence.elements.iter().enumerate() {
            items.push(match element {
                Element::Absent(absence) => Item::Absent(absence.clone()),
                Element::Positive { connector, node } => {
                    Item::Positive(*connector, self.node(node, (at, number))?)
                }
            });
        }
        self.nodes[at].part = Part::Sequence(items);
        Ok(at)
    }

    fn node(&mut self, node: &Node, parent: (usize, usize)) -> Result<usize, TooComplex> {
        match node {
            Node::Step(step) => {
                let position = self.leaves.len() + 1;
                let at = self.add(Some(parent), Part::Step(*step, position as u16))?;
                self.leaves.push(at);
                Ok(at)
            }
            Node::Choice(alternatives) => {
                let at = self.add(Some(parent), Part::Choice(Vec::new()))?;
                let mut children = Vec::with_capacity(alternatives.len());
                for (number, alternative) in alternatives.iter().enumerate() {
                    children.push(self.sequence(alternative, Some((at, number)))?);
                }
                self.nodes[at].part = Part::Choice(children);
                Ok(at)
            }
            Node::All(members) => self.all(members, parent),
            Node::Loop(inner) => self.repeat(inner, parent),
        }
    }

    /// `all(p, q, r)`: p then `all(q, r)`, or q then `all(p, r)`, or r then `all(p, q)`.
    fn all(&mut self, members: &[Sequence], parent: (usize, usize)) -> Result<usize, TooComplex> {
        let at = self.add(Some(parent), Part::Choice(Vec::new()))?;
        let mut children = Vec::with_capacity(members.len());
        for (number, member) in members.iter().enumerate() {
            if members.len() == 1 {
                children.push(self.sequence(member, Some((at, number)))?);
                continue;
            }
            let branch = self.add(Some((at, number)), Part::Sequence(Vec::new()))?;
            // A choice of one alternative: a sequence that is a node.
            let first = self.node(&Node::Choice(vec![member.clone()]), (branch, 0))?;
            let others: Vec<Sequence> = members
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != number)
                .map(|(_, member)| member.clone())
                .collect();
            let rest = self.all(&others, (branch, 1))?;
            let then = Connector {
                contiguity: Contiguity::SkipTillNext,
                after: None,
                within: None,
            };
            self.nodes[branch].part = Part::Sequence(vec![
                Item::Positive(then, first),
                Item::Positive(then, rest),
            ]);
            children.push(branch);
        }
        self.nodes[at].part = Part::Choice(children);
        Ok(at)
    }

    fn repeat(&mut self, inner: &Loop, parent: (usize, usize)) -> Result<usize, TooComplex> {
        let at = self.add(Some(parent), Part::Choice(Vec::new()))?;
        let body = self.node(&inner.body, (at, 0))?;
        let counted = inner.min > 1 || inner.max.is_some_and(|max| max > 1);
        let counter = counted.then(|| {
            self.counters += 1;
            (self.counters - 1) as u8
        });
        let mut first = StepMask::default();
        self.first(body, &mut first);
        let plan = LoopPlan {
            min: inner.min,
            max: inner.max,
            appetite: inner.appetite,
            contiguity: inner.contiguity,
            until: inner.until,
            closer: inner.closer.clone(),
            counter,
            first,
        };
        self.nodes[at].part = Part::Loop { body, plan };
        Ok(at)
    }

    /// Adds the steps with which the node can begin; true if it can be passed over.
    fn first(&self, at: usize, steps: &mut StepMask) -> bool {
        match &self.nodes[at].part {
            Part::Step(step, _) => {
                steps.add(*step);
                false
            }
            Part::Sequence(items) => {
                for item in items {
                    if let Item::Positive(_, node) = item
                        && !self.first(*node, steps)
                    {
                        return false;
                    }
                }
                true
            }
            Part::Choice(children) => children
                .iter()
                .fold(false, |empty, child| self.first(*child, steps) | empty),
            Part::Loop { body, plan } => self.first(*body, steps) | (plan.min == 0),
        }
    }
}

/// What rules a way on, as far as the walk has come.
#[derive(Clone)]
struct Draft {
    connector: Connector,
    between: StepMask,
    adjacent: StepMask,
    holds: SmallVec<[(StepMask, Span); 1]>,
    wanted: Vec<Wanted>,
    guards: Vec<(u8, u32, u32)>,
    counting: Vec<(u8, Counting)>,
    /// Loops of which a repeat was begun on this walk and nothing bound in it yet.
    begun: Vec<usize>,
    unless: Option<StepId>,
    until: Option<StepId>,
    closer: Option<Completion>,
    closes: Option<Completion>,
    anchors: bool,
    leading: u64,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft {
            connector: Connector {
                contiguity: Contiguity::SkipTillNext,
                after: None,
                within: None,
            },
            between: StepMask::default(),
            adjacent: StepMask::default(),
            holds: SmallVec::new(),
            wanted: Vec::new(),
            guards: Vec::new(),
            counting: Vec::new(),
            begun: Vec::new(),
            unless: None,
            until: None,
            closer: None,
            closes: None,
            anchors: false,
            leading: 0,
        }
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    ways: Vec<Way>,
    walked: usize,
    /// Before the first event nothing is bound: `not x for` looks back from the event that starts.
    leading: Option<Vec<(StepId, Span)>>,
}

impl Walk<'_> {
    /// Goes into a node: every step it can begin with, and what follows it if it can be passed over.
    fn enter(&mut self, at: usize, draft: Draft) -> Result<(), TooComplex> {
        self.walked += 1;
        if self.walked > WALKS_MAX {
            return Err(TooComplex {
                what: "walks between two steps",
                limit: WALKS_MAX,
            });
        }
        match &self.tree.nodes[at].part {
            Part::Step(_, position) => self.arrive(Target::Position(*position), draft),
            Part::Sequence(_) => self.element(at, 0, draft),
            Part::Choice(children) => children
                .iter()
                .try_for_each(|child| self.enter(*child, draft.clone())),
            Part::Loop { body, plan } => {
                if plan.appetite == Appetite::Reluctant {
                    self.pass_over(at, plan, draft.clone())?;
                }
                let mut first = draft.clone();
                first.begun.push(at);
                first.unless = plan.until;
                first.until = None;
                first.anchors = plan.closes().is_some();
                if let Some(counter) = plan.counter {
                    first.counting.push((counter, Counting::One));
                }
                self.enter(*body, first)?;
                if plan.appetite == Appetite::Greedy {
                    self.pass_over(at, plan, draft)?;
                }
                Ok(())
            }
        }
    }

    fn pass_over(
        &mut self,
        at: usize,
        plan: &LoopPlan,
        mut draft: Draft,
    ) -> Result<(), TooComplex> {
        if plan.min > 0 {
            return Ok(());
        }
        if plan.appetite == Appetite::Greedy {
            draft.wanted.push(Wanted {
                steps: plan.first,
                until: plan.until,
                full: None,
            });
        }
        self.follow(at, draft)
    }

    /// Goes on after a node.
    fn follow(&mut self, at: usize, draft: Draft) -> Result<(), TooComplex> {
        let Some((parent, number)) = self.tree.nodes[at].parent else {
            return self.end(draft);
        };
        match &self.tree.nodes[parent].part {
            Part::Step(..) => unreachable!("a step has no parts"),
            Part::Sequence(_) => self.element(parent, number + 1, draft),
            Part::Choice(_) => self.follow(parent, draft),
            // Every repeat binds an event.
            Part::Loop { .. } if draft.begun.contains(&parent) => Ok(()),
            Part::Loop { body, plan } => {
                if plan.appetite == Appetite::Reluctant {
                    self.leave(parent, plan, draft.clone())?;
                }
                if plan.max != Some(1) {
                    let mut again = draft.clone();
                    again.connector = Connector {
                        contiguity: plan.contiguity,
                        after: None,
                        within: None,
                    };
                    again.begun.push(parent);
                    again.until = plan.until;
                    again.unless = None;
                    again.closes = plan.closes();
                    if let Some(counter) = plan.counter {
                        again
                            .guards
                            .push((counter, 0, plan.max.unwrap_or(u32::MAX)));
                        again
                            .counting
                            .push((counter, Counting::More(plan.max.unwrap_or(plan.min))));
                    }
                    self.enter(*body, again)?;
                }
                if plan.appetite == Appetite::Greedy {
                    self.leave(parent, plan, draft)?;
                }
                Ok(())
            }
        }
    }

    fn leave(&mut self, at: usize, plan: &LoopPlan, mut draft: Draft) -> Result<(), TooComplex> {
        if let Some(counter) = plan.counter
            && plan.min > 1
        {
            draft.guards.push((counter, plan.min, u32::MAX));
        }
        if plan.appetite == Appetite::Greedy && plan.max != Some(1) {
            let full = plan.counter.zip(plan.max);
            draft.wanted.push(Wanted {
                steps: plan.first,
                until: plan.until,
                full,
            });
        }
        if let Some(completion) = plan.closes() {
            draft.closer = Some(completion);
            draft.until = plan.until;
        }
        self.follow(at, draft)
    }

    /// Goes to an element of a sequence, or past its end.
    fn element(&mut self, at: usize, number: usize, mut draft: Draft) -> Result<(), TooComplex> {
        let Part::Sequence(items) = &self.tree.nodes[at].part else {
            unreachable!("only sequences have elements");
        };
        match items.get(number) {
            None => self.follow(at, draft),
            Some(Item::Positive(connector, node)) => {
                // What stands before a group governs its first element.
                if number > 0 {
                    draft.connector = *connector;
                }
                self.enter(*node, draft)
            }
            Some(Item::Absent(absence)) => {
                match absence.reach {
                    Reach::Between => draft.between.add(absence.step),
                    Reach::Adjacent => draft.adjacent.add(absence.step),
                    Reach::For(span) => match &mut self.leading {
                        Some(leading) => draft.leading |= lead(leading, (absence.step, span)),
                        None => draft.holds.push((StepMask::of(absence.step), span)),
                    },
                }
                self.element(at, number + 1, draft)
            }
        }
    }

    fn end(&mut self, draft: Draft) -> Result<(), TooComplex> {
        let completion = match (
            draft.closer,
            draft.holds.iter().map(|(_, span)| *span).max(),
        ) {
            (Some(closer), _) => closer,
            (None, Some(span)) => Completion::Since(span),
            (None, None) if !draft.between.is_empty() => Completion::Within,
            (None, None) if !draft.adjacent.is_empty() => Completion::NextEvent,
            (None, None) => Completion::AtOnce,
        };
        self.arrive(Target::End(completion), draft)
    }

    fn arrive(&mut self, target: Target, draft: Draft) -> Result<(), TooComplex> {
        if self.ways.len() >= WAYS_MAX {
            return Err(TooComplex {
                what: "ways on from one step",
                limit: WAYS_MAX,
            });
        }
        let to_end = matches!(target, Target::End(_));
        self.ways.push(Way {
            target,
            contiguity: if to_end {
                Contiguity::SkipTillAny
            } else {
                draft.connector.contiguity
            },
            after: draft.connector.after.filter(|_| !to_end),
            gap: draft.connector.within.filter(|_| !to_end),
            between: draft.between,
            adjacent: draft.adjacent,
            holds: draft.holds,
            wanted: draft.wanted,
            guards: draft.guards,
            counting: draft.counting,
            unless: draft.unless.filter(|_| !to_end),
            until: draft.until,
            closes: draft.closes,
            anchors: draft.anchors,
            leading: draft.leading,
        });
        Ok(())
    }
}
