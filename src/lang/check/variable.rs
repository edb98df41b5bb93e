//! Steps of a pattern and the variables that name them.

use super::declare;
use super::outline::{StepOutline, StepSet, VariableOutline};
use super::sequence::{Lowering, event_type};
use crate::event::EventTypeId;
use crate::lang::ast;
use crate::lang::pattern::{STEPS_MAX, StepId, StepRole, VariableId};

/// The most variables of a pattern, those of unnamed steps included.
const VARIABLES_MAX: usize = 255;

impl<'a> Lowering<'a, '_> {
    pub(super) fn add_step(
        &mut self,
        event: &'a ast::Ident,
        role: StepRole,
        condition: Option<&'a ast::Expr>,
        before: StepSet,
        name: Option<&'a ast::Ident>,
    ) -> StepId {
        let place = self.place(event.span);
        let Ok(id) = u8::try_from(self.outline.steps.len()) else {
            return StepId(0);
        };
        if usize::from(id) >= STEPS_MAX {
            if !self.full {
                self.full = true;
                self.report
                    .add("E115", place, format!("a pattern has at most {STEPS_MAX} steps"), "one too many")
                    .help("negated steps and `until` count, too; let one pattern emit what another one reads");
            }
            return StepId(0);
        }
        let wanted = name.unwrap_or(event).name.as_str();
        let step = StepOutline {
            name: self.unique(wanted),
            event: &event.name,
            role,
            ty: self.event_type(event),
            place,
            condition,
            bound_before: before,
            repeats: false,
            variable: None,
        };
        self.outline.steps.push(step);
        StepId(id)
    }

    fn event_type(&mut self, event: &ast::Ident) -> Option<EventTypeId> {
        let place = self.place(event.span);
        event_type(self.catalog, self.report, place, &event.name)
    }

    /// `Txn`, `Txn_2`, … whichever is free.
    fn unique(&mut self, wanted: &'a str) -> String {
        if self.step_names.insert(wanted.to_owned()) {
            return wanted.to_owned();
        }
        let at = self.repeats.entry(wanted).or_insert(1);
        loop {
            *at += 1;
            let name = format!("{wanted}_{at}");
            if self.step_names.insert(name.clone()) {
                return name;
            }
        }
    }

    pub(super) fn step_variable(
        &mut self,
        step: StepId,
        name: Option<&'a ast::Ident>,
        event: &'a ast::Ident,
    ) {
        let known = self.outline.step(step);
        let variable = VariableOutline {
            name: name.map_or_else(|| known.name.clone(), |name| name.name.clone()),
            steps: StepSet::of(step),
            ty: known.ty,
            place: self.place(name.unwrap_or(event).span),
            explicit: name.is_some(),
        };
        let Some(id) = self.add_variable(variable) else {
            return;
        };
        self.outline.steps[usize::from(step.0)].variable = Some(id);
        match name {
            Some(name) => self.name_variable(name, id),
            None => self
                .outline
                .unnamed
                .entry(&event.name)
                .or_default()
                .push(id),
        }
    }

    fn add_variable(&mut self, variable: VariableOutline) -> Option<VariableId> {
        if self.outline.variables.len() >= VARIABLES_MAX {
            declare::too_many(
                self.report,
                variable.place,
                "variables in a pattern",
                VARIABLES_MAX,
            );
            return None;
        }
        let id = VariableId(u8::try_from(self.outline.variables.len()).ok()?);
        self.outline.variables.push(variable);
        Some(id)
    }

    fn name_variable(&mut self, name: &'a ast::Ident, id: VariableId) {
        if let Some(first) = self.outline.named.get(name.name.as_str()) {
            let (place, first) = (self.place(name.span), self.outline.variable(*first).place);
            self.report
                .add(
                    "E063",
                    place,
                    format!("two steps are named `{}`", name.name),
                    "named again",
                )
                .also(first, "first named here")
                .help("give one of them another name; to read either, name a group: `x: (A | B)`");
            return;
        }
        self.outline.named.insert(&name.name, id);
    }

    /// A variable for all events of a group: they must have one type.
    pub(super) fn group_variable(&mut self, name: &'a ast::Ident, own: StepSet) {
        if own.is_empty() {
            return;
        }
        let types: Vec<(StepId, Option<EventTypeId>)> = own
            .iter()
            .map(|step| (step, self.outline.step(step).ty))
            .collect();
        let first = types.first().and_then(|(_, ty)| *ty);
        let known = types.iter().all(|(_, ty)| ty.is_some());
        let other = types.iter().find(|(_, ty)| *ty != first);
        if known && let (Some(first), Some((step, Some(other)))) = (first, other) {
            let (first, other) = (&self.catalog.ty(first).name, &self.catalog.ty(*other).name);
            let place = self.place(name.span);
            self.report
                .add(
                    "E074",
                    place,
                    format!(
                        "the group `{}` binds events of several types, `{first}` and `{other}`",
                        name.name
                    ),
                    "of which type is its event?",
                )
                .also(self.outline.step(*step).place, "another type")
                .help("name the steps inside the group instead");
        }
        let uniform = types.iter().all(|(_, ty)| *ty == first);
        let variable = VariableOutline {
            name: name.name.clone(),
            steps: own,
            ty: if uniform { first } else { None },
            place: self.place(name.span),
            explicit: true,
        };
        if let Some(id) = self.add_variable(variable) {
            self.name_variable(name, id);
        }
    }
}
