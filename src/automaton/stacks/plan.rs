//! The ways on of a pattern of `then any`, laid out for stacks.

use smallvec::SmallVec;

use super::super::expression::{Compiled, StepMask};
use super::super::linear::{Chosen, FilledStep, apart, bounded_as_a_whole, rules_nothing_else};
use super::super::nfa::{Completion, Counting, Nfa, Target, Wanted, Way};
use super::super::run::bits;
use crate::lang::pattern::{Contiguity, StepId};

/// How a pattern is matched by stacks, or could be.
#[derive(Clone, Debug)]
pub(crate) struct StackPlan {
    /// Whether keys without state begin so. Where they do not, what another version of the pattern left can still be read.
    pub chosen: Chosen,
    /// The steps that something may follow, in their order: each has a stack.
    pub steps: Box<[StackedStep]>,
    /// How partial matches begin, most preferred first; each with a step of its own.
    pub begins: Box<[Begin]>,
    /// Where partial matches can be. What is behind another one has a higher number, repeats aside.
    pub nodes: Box<[Node]>,
    /// Steps that have a stack.
    pub stacked: StepMask,
    /// Steps that complete a match.
    pub last: StepMask,
    /// The one that does, if nothing follows it and its condition asks nothing of what is bound.
    pub alone: Option<StepId>,
    /// Each step follows the one before, the first begins, and each is bound once.
    pub straight: bool,
    /// A repeat of a group leads to a node before.
    pub turns_back: bool,
}

/// A way in which partial matches begin.
#[derive(Clone, Debug)]
pub(crate) struct Begin {
    pub step: StepId,
    /// `None` if nothing can follow.
    pub node: Option<usize>,
    /// The event is a match by itself.
    pub completes: bool,
}

/// A step with a stack.
#[derive(Clone, Debug)]
pub(crate) struct StackedStep {
    pub filled: FilledStep,
    /// Its position in the automaton.
    pub position: u16,
    /// Each of its events begins a partial match, whatever else it does.
    pub begins: bool,
    /// The stacks whose events it can follow.
    pub before: Box<[usize]>,
    /// As so many runs a partial match can be told that has bound it last.
    runs_max: u64,
}

/// Where a partial match can be: what it has bound last, and how often its loops have repeated as far as that matters.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The stack of the step bound last.
    pub stack: usize,
    pub counters: SmallVec<[u32; 2]>,
    /// The step may have been bound before.
    pub repeats: bool,
    /// Most preferred first.
    pub ways: Box<[NodeWay]>,
    /// The ways by which it is reached: nodes, and numbers among their ways.
    pub from: Box<[(usize, usize)]>,
}

/// A way on from a node to a step.
#[derive(Clone, Debug)]
pub(crate) struct NodeWay {
    /// Its number among the ways on of the position.
    pub at: usize,
    pub step: StepId,
    /// `None` if nothing can follow.
    pub to: Option<usize>,
    /// The event completes a match.
    pub completes: bool,
    /// Not once there was an event of this stack: a loop would have taken it.
    pub bar: Option<usize>,
}

/// A pattern with more nodes is matched by runs.
const NODES_MAX: usize = 64;

/// Position and counters, those set to 0 that nothing asks for any more.
type Place = (u16, SmallVec<[u32; 2]>);

/// A way on as it was found.
struct Found {
    at: usize,
    target: usize,
    wanted: Option<StepId>,
}

impl StackPlan {
    /// `None` if something but `then any` joins steps, or anything rules between, or if two steps fill one register. That much follows from the structure of its states ([`Nfa::structure`]), so all
    /// patterns of one structure can read what the others left.
    pub(crate) fn of(nfa: &Nfa) -> Option<StackPlan> {
        let mut joined = nfa.positions[1..].iter().flat_map(|at| &at.ways);
        let plain = nfa.positions[0].ways.iter().all(begins) && joined.all(joins_any);
        if nfa.window.is_some() || !nfa.leading.is_empty() || nfa.ambiguous || !plain {
            return None;
        }
        let graph = Graph::explore(nfa)?;
        graph.bars_lead_elsewhere(nfa).then_some(())?;
        let steps: Vec<StepId> = nfa.positions.iter().filter_map(|at| at.step).collect();
        let goes_on = graph.begins.iter().any(|begin| graph.goes_on(*begin));
        (goes_on && apart(&nfa.registers, &steps)).then(|| graph.plan(nfa))
    }

    /// How many registers an event of a step fills.
    pub(crate) fn width(&self, stack: usize) -> usize {
        self.steps[stack].filled.registers.len()
    }

    /// The stacks before one whose events those of this one can follow. Whoever comes from behind, as a repeat of a group, has come by one of these first.
    pub(super) fn earlier(&self, stack: usize) -> impl Iterator<Item = usize> {
        let before = self.steps[stack].before.iter().copied();
        before.filter(move |before| *before < stack)
    }
}

impl Node {
    /// True if one step follows, or one completes.
    fn is_straight(&self) -> bool {
        let once = |way: &NodeWay| way.to.is_some() != way.completes;
        !self.repeats && self.ways.len() == 1 && self.ways.iter().all(once)
    }
}

impl StackedStep {
    /// At most so many runs are partial matches that have bound it last.
    pub(super) fn runs_of(&self, paths: u64) -> u64 {
        paths.saturating_mul(self.runs_max)
    }
}

/// True for a way to begin with an event of one step, whatever came before.
fn begins(way: &Way) -> bool {
    rules_nothing_else(way)
        && way.between.is_empty()
        && way.wanted.is_empty()
        && way.guards.is_empty()
}

/// True for a way on that waits for its target and leaves out what it likes, or completes at once. A loop may want what comes.
fn joins_any(way: &Way) -> bool {
    let any = match way.target {
        Target::End(completion) => completion == Completion::AtOnce,
        Target::Position(_) => way.contiguity == Contiguity::SkipTillAny,
    };
    let wants_steps = |wanted: &Wanted| wanted.until.is_none() && wanted.steps.0.is_power_of_two();
    rules_nothing_else(way) && any && way.between.is_empty() && way.wanted.iter().all(wants_steps)
}

/// Everything that partial matches can come to.
struct Graph {
    places: Vec<Place>,
    /// The places where partial matches begin, most preferred first.
    begins: Vec<usize>,
    /// By place: ways on to steps, most preferred first.
    ways: Vec<Vec<Found>>,
    /// By place: whether a match is complete.
    complete: Vec<bool>,
}

impl Graph {
    /// `None` if there are too many places, if two loops want what comes, or if an event of one step begins in two ways.
    fn explore(nfa: &Nfa) -> Option<Graph> {
        let asked = asked_for(nfa)?;
        let nothing: SmallVec<[u32; 2]> = SmallVec::from_elem(0, nfa.counters);
        let starts = nfa.positions[0].ways.iter();
        let places = starts.map(|start| arrive(start, &nothing, &asked));
        let places: Vec<Place> = places.collect::<Option<_>>()?;
        let mut positions: Vec<u16> = places.iter().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        positions.dedup();
        if positions.len() < places.len() || places.len() > NODES_MAX {
            return None;
        }
        let mut graph = Graph {
            begins: (0..places.len()).collect(),
            places,
            ways: Vec::new(),
            complete: Vec::new(),
        };
        while let Some((position, counters)) = graph.places.get(graph.ways.len()).cloned() {
            let (mut found, mut complete) = (Vec::new(), false);
            let ways = nfa.positions[usize::from(position)].ways.iter();
            let allowed = ways
                .enumerate()
                .filter(|(_, way)| way.allowed_by(&counters));
            for (at, way) in allowed {
                let Some(place) = arrive(way, &counters, &asked) else {
                    complete = true;
                    continue;
                };
                let known = graph.places.iter().position(|known| *known == place);
                let target = known.unwrap_or(graph.places.len());
                if known.is_none() {
                    graph.places.push(place);
                }
                let wanting = way
                    .wanted
                    .iter()
                    .filter(|wanted| !wanted.is_full(&counters));
                let mut wanting = wanting.flat_map(|wanted| wanted.steps.steps());
                let wanted = wanting.next();
                if wanting.next().is_some() || graph.places.len() > NODES_MAX {
                    return None;
                }
                found.push(Found { at, target, wanted });
            }
            graph.ways.push(found);
            graph.complete.push(complete);
        }
        Some(graph)
    }

    /// True if something can follow.
    fn goes_on(&self, place: usize) -> bool {
        !self.ways[place].is_empty()
    }

    fn step(&self, nfa: &Nfa, place: usize) -> Option<StepId> {
        nfa.positions[usize::from(self.places[place].0)].step
    }

    /// True if whatever a loop wants can be taken, and leads to where it did not let the partial match go by itself: then an older event leads to whatever a newer one of its step leads to.
    fn bars_lead_elsewhere(&self, nfa: &Nfa) -> bool {
        self.ways.iter().all(|ways| {
            ways.iter().all(|barred| {
                let Some(wanted) = barred.wanted else {
                    return true;
                };
                let takes = |way: &&Found| {
                    way.wanted.is_none() && self.step(nfa, way.target) == Some(wanted)
                };
                let leads = |way: &Found| {
                    way.target == barred.target && way.wanted.is_none_or(|other| other == wanted)
                };
                let taken = ways.iter().find(takes);
                taken.is_some_and(|taken| self.ways[taken.target].iter().any(leads))
            })
        })
    }

    /// Places that something can follow, each before those it leads to, repeats aside.
    fn order(&self) -> Vec<usize> {
        let (mut seen, mut order) = (0_u64, Vec::new());
        for begin in &self.begins {
            self.visit(*begin, &mut seen, &mut order);
        }
        order.reverse();
        order
    }

    fn visit(&self, place: usize, seen: &mut u64, order: &mut Vec<usize>) {
        if *seen >> place & 1 == 1 || !self.goes_on(place) {
            return;
        }
        *seen |= 1 << place;
        for way in &self.ways[place] {
            self.visit(way.target, seen, order);
        }
        order.push(place);
    }

    /// By place: those that can be come to from there, one bit each.
    fn reached(&self) -> Vec<u64> {
        let targets = |ways: &Vec<Found>| ways.iter().fold(0, |all, way| all | 1_u64 << way.target);
        let mut reached: Vec<u64> = self.ways.iter().map(targets).collect();
        for _ in 0..reached.len() {
            for place in 0..reached.len() {
                let farther = bits(reached[place]).fold(0, |all, at| all | reached[at]);
                reached[place] |= farther;
            }
        }
        reached
    }

    fn plan(&self, nfa: &Nfa) -> StackPlan {
        let order = self.order();
        let mut positions: Vec<u16> = order.iter().map(|at| self.places[*at].0).collect();
        positions.sort_unstable();
        positions.dedup();
        let stack_of = |position: u16| positions.binary_search(&position).ok();
        let node_of = |place: usize| order.iter().position(|other| *other == place);
        let reached = self.reached();
        let repeats = |place: usize| {
            let mut others = (0..self.places.len()).filter(|at| reached[*at] >> place & 1 == 1);
            others.any(|at| self.places[at].0 == self.places[place].0)
        };
        let steps_of = |wanted: StepId| {
            let position = nfa.positions.iter().position(|at| at.step == Some(wanted));
            position.and_then(|at| stack_of(at as u16))
        };
        let mut nodes: Vec<Node> = Vec::with_capacity(order.len());
        for &place in &order {
            let (position, counters) = self.places[place].clone();
            let ways = self.ways[place].iter().map(|way| NodeWay {
                at: way.at,
                step: self
                    .step(nfa, way.target)
                    .expect("nothing leads to the start"),
                to: node_of(way.target),
                completes: self.complete[way.target],
                bar: way.wanted.and_then(steps_of),
            });
            nodes.push(Node {
                stack: stack_of(position).expect("each has a stack"),
                counters,
                repeats: repeats(place),
                ways: ways.collect(),
                from: Box::default(),
            });
        }
        for at in 0..nodes.len() {
            let ways = nodes.iter().enumerate().flat_map(|(from, node)| {
                let leading = node.ways.iter().enumerate();
                leading.filter_map(move |(way, on)| (on.to == Some(at)).then_some((from, way)))
            });
            let from: Vec<(usize, usize)> = ways.collect();
            nodes[at].from = from.into();
        }
        let begins = self.begins.iter().map(|begin| Begin {
            step: self
                .step(nfa, *begin)
                .expect("it begins with an event of a step"),
            node: node_of(*begin),
            completes: self.complete[*begin],
        });
        let begins: Box<[Begin]> = begins.collect();
        let steps: Vec<StackedStep> = positions
            .iter()
            .enumerate()
            .map(|(stack, position)| stacked(nfa, &nodes, &begins, stack, *position))
            .collect();
        let stacked: StepMask = steps.iter().map(|stacked| stacked.filled.step).collect();
        let ways = nodes.iter().flat_map(|node| &node.ways);
        let completing = ways.filter(|way| way.completes).map(|way| way.step);
        let first = begins.iter().filter(|begin| begin.completes);
        let last: StepMask = completing.chain(first.map(|begin| begin.step)).collect();
        let alone = last.steps().next().filter(|step| {
            let condition = &nfa.steps[usize::from(step.0)].correlated;
            last.0.is_power_of_two() && !stacked.has(*step) && condition.is_none()
        });
        let turns_back = nodes.iter().enumerate().any(|(at, node)| {
            let mut targets = node.ways.iter().filter_map(|way| way.to);
            targets.any(|to| to < at)
        });
        StackPlan {
            turns_back,
            chosen: choose(nfa, &steps),
            straight: matches!(&begins[..], [begin] if !begin.completes)
                && nodes.iter().all(Node::is_straight),
            alone,
            stacked,
            last,
            begins,
            steps: steps.into(),
            nodes: nodes.into(),
        }
    }
}

fn stacked(
    nfa: &Nfa,
    nodes: &[Node],
    begins: &[Begin],
    stack: usize,
    position: u16,
) -> StackedStep {
    let step = nfa.positions[usize::from(position)].step;
    let own = || nodes.iter().filter(|node| node.stack == stack);
    let from = own().flat_map(|node| &node.from);
    let mut before: Vec<usize> = from.map(|(from, _)| nodes[*from].stack).collect();
    before.sort_unstable();
    before.dedup();
    // Split before each way by which something went on, unless it is preferred to all others.
    let splits = |node: &Node| {
        let others = node.ways.iter().skip(1);
        others.filter(|way| way.to.is_some()).count()
    };
    let splits = own().map(splits).max().unwrap_or(0);
    StackedStep {
        filled: FilledStep::of(nfa, step.expect("nothing leads to the start")),
        position,
        begins: begins
            .iter()
            .any(|begin| begin.node.is_some_and(|node| nodes[node].stack == stack)),
        before: before.into(),
        runs_max: 1 + splits as u64,
    }
}

/// Stacks know of events only that they came: so conditions are decided when their event comes, before anything is known of what a partial match bound, and the only
/// bound of time is `within`, measured from the first event, so that partial matches expire with their start. The condition of a step that nothing follows is asked of each match.
fn choose(nfa: &Nfa, steps: &[StackedStep]) -> Chosen {
    let alone = |stacked: &StackedStep| {
        let condition = &nfa.steps[usize::from(stacked.filled.step.0)].correlated;
        condition.as_ref().is_none_or(Compiled::is_local)
    };
    match nfa.within.is_some() && bounded_as_a_whole(nfa) && steps.iter().all(alone) {
        true => Chosen::Yes,
        false => Chosen::No,
    }
}

/// Where an event is bound by a way on; `None` for the end.
fn arrive(way: &Way, counters: &[u32], asked: &[u64]) -> Option<Place> {
    let Target::Position(target) = way.target else {
        return None;
    };
    let mut counters = SmallVec::from_slice(counters);
    way.count(&mut counters);
    for (at, count) in counters.iter_mut().enumerate() {
        if asked[usize::from(target)] >> at & 1 == 0 {
            *count = 0;
        }
    }
    Some((target, counters))
}

/// By position: the counters that some way from there on asks for before it sets them, one bit each. `None` if there are more than bits.
fn asked_for(nfa: &Nfa) -> Option<Vec<u64>> {
    if nfa.counters > 64 {
        return None;
    }
    let mut asked = vec![0_u64; nfa.positions.len()];
    let mut spreads = true;
    while std::mem::take(&mut spreads) {
        for at in 0..asked.len() {
            let before = asked[at];
            for way in &nfa.positions[at].ways {
                let mut of_way = match way.target {
                    Target::Position(target) => asked[usize::from(target)],
                    Target::End(_) => 0,
                };
                for (counter, counting) in &way.counting {
                    match counting {
                        Counting::One => of_way &= !(1 << counter),
                        Counting::More(_) => of_way |= 1 << counter,
                    }
                }
                let full = way.wanted.iter().filter_map(|wanted| wanted.full);
                let guards = way.guards.iter().map(|(counter, _, _)| *counter);
                let asking = guards.chain(full.map(|(counter, _)| counter));
                asked[at] |= asking.fold(of_way, |all, counter| all | 1 << counter);
            }
            spreads |= asked[at] != before;
        }
    }
    Some(asked)
}
