//! The agent's own store: `chains/{chain}/{snapshot}/` with a page of messages a file and a manifest.
//!
//! A snapshot is there or it is not: it is written under a name that nobody reads, brought to the disk, and then renamed.
//! The mark that whowas knows it comes after that, so a crash leaves a snapshot that is told of later, and never one that
//! whowas knows and the disk does not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use whowas::domain::id::{MailboxId, ObjectId};
use whowas::domain::time::Instant;

use super::trouble::Trouble;

/// What every unfinished snapshot is called until it is whole.
const UNFINISHED: &str = "unfinished";
const MANIFEST: &str = "manifest.json";
/// The mark that whowas has the snapshot and its receipt.
const RECORDED: &str = "recorded";

/// A folder on disk.
#[derive(Clone, Debug)]
pub struct Repository {
    chains: PathBuf,
}

/// What a snapshot says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub chain: String,
    pub snapshot: String,
    /// The snapshot it builds on, in the same chain.
    pub base: Option<String>,
    /// The object read, as Graph said at the start; at the end it was the same.
    pub object: ObjectId,
    pub mailbox: Option<MailboxId>,
    pub from: Instant,
    pub until: Instant,
    /// By folder id.
    pub folders: BTreeMap<String, FolderPart>,
}

/// What a snapshot holds of one folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FolderPart {
    pub name: String,
    /// Whether it is all of the folder, and not only what changed since the base.
    pub full: bool,
    /// Where the next incremental begins. It repeats the object id.
    pub link: String,
    /// The files with its pages, in order.
    pub pages: Vec<String>,
}

/// A snapshot being written.
#[derive(Debug)]
pub struct Unfinished {
    folder: PathBuf,
    files: usize,
}

impl Repository {
    /// The repository in a folder, which is made if it is missing.
    pub fn open(folder: &Path) -> Result<Self, Trouble> {
        let chains = folder.join("chains");
        fs::create_dir_all(&chains).map_err(Trouble::disk("make", &chains))?;
        Ok(Self { chains })
    }

    /// The names of all chains, oldest first for each object, because they begin with the object id and end with a time.
    pub fn chains(&self) -> Result<Vec<String>, Trouble> {
        folders(&self.chains)
    }

    /// The latest chain of an object that has a snapshot.
    pub fn chain_of(&self, object: ObjectId) -> Result<Option<String>, Trouble> {
        let prefix = format!("{object}.");
        for chain in self.chains()?.into_iter().rev().filter(|chain| chain.starts_with(&prefix)) {
            if !self.snapshots(&chain)?.is_empty() {
                return Ok(Some(chain));
            }
        }
        Ok(None)
    }

    /// The snapshots of a chain that are whole, oldest first.
    pub fn snapshots(&self, chain: &str) -> Result<Vec<String>, Trouble> {
        let mut found = folders(&self.chains.join(chain))?;
        found.retain(|name| name != UNFINISHED);
        Ok(found)
    }

    pub fn manifest(&self, chain: &str, snapshot: &str) -> Result<Manifest, Trouble> {
        read(&self.place(chain, snapshot).join(MANIFEST))
    }

    /// The manifest, if the disk has that snapshot.
    pub fn find(&self, chain: &str, snapshot: &str) -> Result<Option<Manifest>, Trouble> {
        let there = self.place(chain, snapshot).join(MANIFEST).exists();
        if there { self.manifest(chain, snapshot).map(Some) } else { Ok(None) }
    }

    /// The items of one page.
    pub fn page(&self, manifest: &Manifest, file: &str) -> Result<Vec<Value>, Trouble> {
        read(&self.place(&manifest.chain, &manifest.snapshot).join(file))
    }

    /// Begins the next snapshot of a chain. What a crash left of another one is thrown away.
    pub fn begin(&self, chain: &str) -> Result<(String, Unfinished), Trouble> {
        let last = self.snapshots(chain)?.last().and_then(|last| last.parse::<u32>().ok()).unwrap_or(0);
        let folder = self.place(chain, UNFINISHED);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Trouble::disk("remove", &folder))?;
        }
        fs::create_dir_all(&folder).map_err(Trouble::disk("make", &folder))?;
        Ok((format!("{:04}", last.saturating_add(1)), Unfinished { folder, files: 0 }))
    }

    /// The snapshots on the disk that whowas may not know yet, oldest first in each chain.
    pub fn unrecorded(&self) -> Result<Vec<Manifest>, Trouble> {
        let mut found = Vec::new();
        for chain in self.chains()? {
            for snapshot in self.snapshots(&chain)? {
                if !self.place(&chain, &snapshot).join(RECORDED).exists() {
                    found.push(self.manifest(&chain, &snapshot)?);
                }
            }
        }
        Ok(found)
    }

    /// Marks a snapshot as known to whowas. If this mark is lost it is told once more, which changes nothing.
    pub fn mark_recorded(&self, manifest: &Manifest) -> Result<(), Trouble> {
        let mark = self.place(&manifest.chain, &manifest.snapshot).join(RECORDED);
        File::create(&mark).map(drop).map_err(Trouble::disk("write", &mark))
    }

    fn place(&self, chain: &str, snapshot: &str) -> PathBuf {
        self.chains.join(chain).join(snapshot)
    }
}

impl Unfinished {
    /// Writes one page and gives its file's name.
    pub fn page(&mut self, items: &[Value]) -> Result<String, Trouble> {
        self.files = self.files.saturating_add(1);
        let name = format!("page-{:06}.json", self.files);
        write(&self.folder.join(&name), &items)?;
        Ok(name)
    }

    /// Makes it whole.
    pub fn commit(self, manifest: &Manifest) -> Result<(), Trouble> {
        write(&self.folder.join(MANIFEST), manifest)?;
        sync_folder(&self.folder)?;
        let chain = self.folder.parent().unwrap_or(&self.folder).to_owned();
        let place = chain.join(&manifest.snapshot);
        fs::rename(&self.folder, &place).map_err(Trouble::disk("rename to", &place))?;
        sync_folder(&chain)?;
        chain.parent().map_or(Ok(()), sync_folder)
    }

    /// Throws it away.
    pub fn discard(self) -> Result<(), Trouble> {
        fs::remove_dir_all(&self.folder).map_err(Trouble::disk("remove", &self.folder))
    }
}

fn folders(parent: &Path) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    if !parent.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(parent).map_err(Trouble::disk("list", parent))? {
        let entry = entry.map_err(Trouble::disk("list", parent))?;
        if let (true, Ok(name)) = (entry.path().is_dir(), entry.file_name().into_string()) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Trouble> {
    let text = fs::read(path).map_err(Trouble::disk("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Trouble::Unreadable { path: path.to_owned(), error })
}

fn write(path: &Path, what: &impl Serialize) -> Result<(), Trouble> {
    let text = serde_json::to_vec(what).map_err(|error| Trouble::Unreadable { path: path.to_owned(), error })?;
    let mut file = File::create(path).map_err(Trouble::disk("write", path))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(Trouble::disk("write", path))
}

/// A rename is on the disk only when the folder is.
fn sync_folder(folder: &Path) -> Result<(), Trouble> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Trouble::disk("sync", folder))
}
