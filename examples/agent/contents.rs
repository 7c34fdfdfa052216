//! What a mailbox held at a snapshot: the pages of the snapshots it builds on, one after the other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::repository::{Manifest, Repository};
use super::trouble::Trouble;

/// A folder and its messages by their ids.
#[derive(Debug, Default)]
pub struct Contents {
    pub name: String,
    pub messages: BTreeMap<String, Value>,
}

/// Every folder of a mailbox as a snapshot has it.
pub fn at(repository: &Repository, manifest: &Manifest) -> Result<Vec<Contents>, Trouble> {
    let mut all = Vec::new();
    for (id, part) in &manifest.folders {
        let mut folder = Contents { name: part.name.clone(), ..Contents::default() };
        for step in steps(repository, manifest, id)? {
            let Some(part) = step.folders.get(id) else { continue };
            for file in &part.pages {
                apply(&mut folder.messages, repository.page(&step, file)?);
            }
        }
        all.push(folder);
    }
    Ok(all)
}

/// The snapshots from the one that read all of the folder up to this one.
fn steps(repository: &Repository, manifest: &Manifest, folder: &str) -> Result<Vec<Manifest>, Trouble> {
    let mut steps = vec![manifest.clone()];
    let mut last = manifest.clone();
    while !last.folders.get(folder).is_none_or(|part| part.full) {
        let Some(base) = &last.base else { break };
        last = repository.manifest(&last.chain, base)?;
        steps.push(last.clone());
    }
    steps.reverse();
    Ok(steps)
}

/// A message comes as a whole whenever it changed, and with `@removed` when it went.
fn apply(messages: &mut BTreeMap<String, Value>, items: Vec<Value>) {
    for item in items {
        let Some(id) = item.get("id").and_then(Value::as_str).map(str::to_owned) else { continue };
        if item.get("@removed").is_some() {
            messages.remove(&id);
        } else {
            messages.insert(id, item);
        }
    }
}
