//! A disk that may lose power: what was not synced may be there, or not, or in part.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::dice::Dice;
use super::place;
use super::trace::Event;

const SECTOR: usize = 512;

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// None of it is there.
    Drops,
    /// Each write is there or not.
    Keeps,
    /// Each sector of each write is there or not.
    Tears,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Clone, Debug, Default)]
struct FileState {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Naming {
    Put(PathBuf, usize),
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: Vec<FileState>,
    /// Names as a running program sees them.
    live: BTreeMap<PathBuf, usize>,
    /// Names that are on the disk.
    durable: BTreeMap<PathBuf, usize>,
    folders: Vec<PathBuf>,
    durable_folders: Vec<PathBuf>,
    namings: BTreeMap<PathBuf, Vec<Naming>>,
    new_folders: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// How much of a file or folder a sync under way has caught.
    syncs: BTreeMap<usize, usize>,
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

impl Disk {
    /// A disk on which everything in a directory is safe.
    pub fn of(root: &Path) -> Self {
        let mut disk = Self { folders: vec![PathBuf::new()], ..Self::default() };
        if root.exists() {
            for path in place::files(root) {
                disk.live.insert(path.clone(), disk.files.len());
                let durable = fs::read(root.join(&path)).unwrap();
                disk.files.push(FileState { durable, pending: Vec::new() });
                let mut folder = parent(&path);
                while !disk.folders.contains(&folder) {
                    disk.folders.push(folder.clone());
                    folder = parent(&folder);
                }
            }
            for name in ["engine", "engine/blobs"].map(PathBuf::from) {
                if root.join(&name).exists() && !disk.folders.contains(&name) {
                    disk.folders.push(name);
                }
            }
        }
        disk.durable = disk.live.clone();
        disk.durable_folders = disk.folders.clone();
        disk
    }

    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Create { path } => {
                if !self.live.contains_key(path) {
                    let file = self.files.len();
                    self.files.push(FileState::default());
                    self.live.insert(path.clone(), file);
                    self.namings.entry(parent(path)).or_default().push(Naming::Put(path.clone(), file));
                }
            }
            Event::Write { path, offset, data } => self.change(path, Change::Write(*offset, data.clone())),
            Event::Truncate { path, bytes } => self.change(path, Change::Truncate(*bytes)),
            Event::Folder { path } => {
                self.folders.push(path.clone());
                self.new_folders.entry(parent(path)).or_default().push(path.clone());
            }
            Event::Rename { from, to } => {
                if let Some(file) = self.live.remove(from) {
                    self.live.insert(to.clone(), file);
                    self.namings.entry(parent(from)).or_default().push(Naming::Move(from.clone(), to.clone()));
                }
            }
            Event::Remove { path } => {
                if self.live.remove(path).is_some() {
                    self.namings.entry(parent(path)).or_default().push(Naming::Remove(path.clone()));
                }
            }
            Event::SyncBegins { path, number } => {
                let caught = match self.live.get(path) {
                    Some(file) => self.files[*file].pending.len(),
                    None => self.namings.get(path).map_or(0, Vec::len),
                };
                self.syncs.insert(*number, caught);
            }
            Event::SyncEnds { path, number } => self.sync(path, *number),
            Event::Said(_) => {}
        }
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(file) = self.live.get(path) {
            self.files[*file].pending.push(change);
        }
    }

    fn sync(&mut self, path: &Path, number: usize) {
        let caught = self.syncs.remove(&number).unwrap_or(0);
        if let Some(file) = self.live.get(path) {
            let file = &mut self.files[*file];
            // Another sync may have ended meanwhile.
            for change in file.pending.drain(..caught.min(file.pending.len())) {
                put(&mut file.durable, &change, |_| true);
            }
            return;
        }
        if !self.folders.iter().any(|folder| folder == path) {
            return;
        }
        for folder in self.new_folders.remove(path).unwrap_or_default() {
            self.durable_folders.push(folder);
        }
        let namings = self.namings.entry(path.to_owned()).or_default();
        let caught = caught.min(namings.len());
        for naming in namings.drain(..caught).collect::<Vec<_>>() {
            name(&mut self.durable, &naming);
        }
    }

    /// Writes what is left after the power went now.
    pub fn after_power_loss(&self, to: &Path, mood: Mood, dice: &mut Dice) {
        let mut names = self.durable.clone();
        let mut folders = self.durable_folders.clone();
        if mood != Mood::Drops {
            for new in self.new_folders.values() {
                folders.extend(new.iter().take(dice.index(new.len() + 1)).cloned());
            }
            // A file system keeps the order of what happens to its names.
            for namings in self.namings.values() {
                namings.iter().take(dice.index(namings.len() + 1)).for_each(|naming| name(&mut names, naming));
            }
        }
        fs::create_dir_all(to).unwrap();
        folders.sort();
        for folder in &folders {
            if folders.contains(&parent(folder)) {
                fs::create_dir_all(to.join(folder)).unwrap();
            }
        }
        for (path, file) in names {
            if !to.join(parent(&path)).exists() {
                continue;
            }
            let file = &self.files[file];
            let mut bytes = file.durable.clone();
            for change in &file.pending {
                match mood {
                    Mood::Drops => {}
                    Mood::Keeps if dice.chance(50) => put(&mut bytes, change, |_| true),
                    Mood::Keeps => {}
                    Mood::Tears => put(&mut bytes, change, |_| dice.chance(50)),
                }
            }
            fs::write(to.join(path), bytes).unwrap();
        }
    }
}

fn name(names: &mut BTreeMap<PathBuf, usize>, naming: &Naming) {
    match naming {
        Naming::Put(path, file) => drop(names.insert(path.clone(), *file)),
        Naming::Remove(path) => drop(names.remove(path)),
        Naming::Move(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
    }
}

/// Makes a change, of a write only those sectors that are wanted.
fn put(bytes: &mut Vec<u8>, change: &Change, mut wanted: impl FnMut(usize) -> bool) {
    match change {
        Change::Truncate(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Change::Write(offset, data) => {
            let mut at = usize::try_from(*offset).unwrap();
            let mut rest = data.as_slice();
            while !rest.is_empty() {
                let until_next = SECTOR - at % SECTOR;
                let (sector, after) = rest.split_at(until_next.min(rest.len()));
                if wanted(at / SECTOR) {
                    if bytes.len() < at + sector.len() {
                        bytes.resize(at + sector.len(), 0);
                    }
                    bytes[at..at + sector.len()].copy_from_slice(sector);
                }
                at += sector.len();
                rest = after;
            }
        }
    }
}
