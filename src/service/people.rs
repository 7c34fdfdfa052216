//! The people whom an answer names: what they are called, where they stand, when they held their names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::holder::NameView;
use crate::domain::id::ObjectId;
use crate::domain::interval::Edge;
use crate::domain::name::{Name, NameKey};
use crate::domain::timeline::{Names, Role, State, Timeline};
use crate::ledger::{LedgerError, View};

/// Someone whom an answer names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PersonPart {
    /// Which object.
    pub object: ObjectId,
    /// What it is called now, or was called last.
    pub called: Option<String>,
    /// Where it stands.
    pub state: State,
}

/// A name that someone holds or held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct HoldPart {
    /// `upn`, `smtp`, or `primary` for the address it sends from.
    pub kind: Role,
    /// The name.
    pub name: String,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
}

/// Everyone who was asked about, each read once.
pub struct People<'v, 'a> {
    view: &'v View<'a>,
    timelines: BTreeMap<ObjectId, Timeline>,
}

impl<'v, 'a> People<'v, 'a> {
    /// Nobody yet.
    pub fn new(view: &'v View<'a>) -> Self {
        Self { view, timelines: BTreeMap::new() }
    }

    /// Someone's timeline; `None` if the object was never seen.
    pub fn timeline(&mut self, object: ObjectId) -> Result<Option<&Timeline>, LedgerError> {
        self.view.load([object], &mut self.timelines)?;
        Ok(self.timelines.get(&object).filter(|timeline| !timeline.is_empty()))
    }

    /// All claims to a name.
    pub fn claims(&mut self, name: &Name) -> Result<NameView, LedgerError> {
        self.view.claims(name.key(), &mut self.timelines)
    }

    /// Someone; `None` if the object was never seen.
    pub fn person(&mut self, object: ObjectId) -> Result<Option<PersonPart>, LedgerError> {
        Ok(self.timeline(object)?.map(|timeline| PersonPart {
            object,
            called: called(&timeline.names()),
            state: timeline.state(),
        }))
    }

    /// All of these who were ever seen.
    pub fn all(&mut self, objects: impl IntoIterator<Item = ObjectId>) -> Result<Vec<PersonPart>, LedgerError> {
        let mut people = Vec::new();
        for object in objects {
            people.extend(self.person(object)?);
        }
        Ok(people)
    }

    /// The user principal names and sender addresses that someone held, in order of time, sharpened by the holds of others.
    pub fn holds(&mut self, object: ObjectId) -> Result<Vec<HoldPart>, LedgerError> {
        let Some(timeline) = self.timeline(object)? else { return Ok(Vec::new()) };
        let shown = |role: &Role| *role != Role::Smtp;
        let names: Vec<(Role, NameKey, String)> = timeline
            .names_ever()
            .filter(|(role, ..)| shown(role))
            .map(|(role, key, name)| (role, key.clone(), name.spelling().to_owned()))
            .collect();
        let mut holds = Vec::new();
        for (role, key, spelling) in names {
            let claims = self.view.claims(&key, &mut self.timelines)?;
            let mut mine = claims.claims().iter().filter(|claim| claim.object == object);
            let own = self.timelines.get(&object).and_then(|timeline| timeline.track(role, &key));
            let track = mine.find(|claim| Role::of(claim.namespace) == role).map(|claim| claim.track.clone()).or(own);
            let periods = track.map(|track| track.periods()).unwrap_or_default();
            holds.extend(periods.into_iter().map(|period| HoldPart {
                kind: role,
                name: spelling.clone(),
                from: period.from,
                until: period.until,
            }));
        }
        holds.sort_by_key(|hold| (hold.from.by(), hold.from.after(), hold.kind));
        Ok(holds)
    }
}

/// What someone with these names is called.
pub fn called(names: &Names) -> Option<String> {
    names.upn.as_ref().or(names.mail.as_ref()).map(|name| name.spelling().to_owned())
}
