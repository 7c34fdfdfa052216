//! What a process did to its files, read from the log of `strace -f -y -xx`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One thing that a process did, in the order in which the kernel ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Write {
        path: PathBuf,
        offset: u64,
        data: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        bytes: u64,
    },
    Create {
        path: PathBuf,
    },
    Folder {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    /// From here on what was written before is on its way to the disk …
    SyncBegins {
        path: PathBuf,
        number: usize,
    },
    /// … and here it is there.
    SyncEnds {
        path: PathBuf,
        number: usize,
    },
    /// It said a line.
    Said(String),
}

/// The events below a directory, with paths relative to it.
pub fn events(log: &str, root: &Path) -> Vec<Event> {
    let mut reader =
        Reader { root: root.to_owned(), events: Vec::new(), open: HashMap::new(), places: HashMap::new(), syncs: 0 };
    for line in log.lines() {
        reader.line(line);
    }
    reader.events
}

struct Reader {
    root: PathBuf,
    events: Vec<Event>,
    /// Calls that a process has begun and not ended, by its number.
    open: HashMap<String, (String, Option<usize>)>,
    /// How far files are written by calls that tell no place.
    places: HashMap<String, u64>,
    syncs: usize,
}

const SYNCS: [&str; 2] = ["fsync(", "fdatasync("];

impl Reader {
    fn line(&mut self, line: &str) {
        let Some((process, rest)) = line.split_once(' ') else { return };
        let rest = rest.trim_start();
        if let Some(call) = rest.strip_suffix(" <unfinished ...>") {
            let sync = self.sync_begins(call);
            self.said(call);
            self.open.insert(process.to_owned(), (call.to_owned(), sync));
            return;
        }
        if rest.starts_with("<... ") {
            let Some((call, sync)) = self.open.remove(process) else { return };
            let Some((_, end)) = rest.split_once(" resumed>") else { return };
            self.call(&format!("{call}{end}"), sync, true);
            return;
        }
        let sync = self.sync_begins(rest);
        self.call(rest, sync, false);
    }

    fn sync_begins(&mut self, call: &str) -> Option<usize> {
        let rest = SYNCS.iter().find_map(|name| call.strip_prefix(name))?;
        let path = self.path_of(rest)?;
        self.syncs += 1;
        self.events.push(Event::SyncBegins { path, number: self.syncs });
        Some(self.syncs)
    }

    /// A line is said as soon as its writing has begun.
    fn said(&mut self, call: &str) {
        if let Some(rest) = call.strip_prefix("write(1<")
            && let Some(data) = strings(rest).first()
        {
            let text = String::from_utf8_lossy(data).into_owned();
            self.events.extend(text.lines().filter(|line| !line.is_empty()).map(|line| Event::Said(line.to_owned())));
        }
    }

    fn call(&mut self, call: &str, sync: Option<usize>, was_begun: bool) {
        if !was_begun {
            self.said(call);
        }
        let Some((name, rest)) = call.split_once('(') else { return };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return };
        let result_number: i64 = result.split(['<', ' ']).next().and_then(|text| text.parse().ok()).unwrap_or(-1);
        if result_number < 0 {
            return;
        }
        let bytes = u64::try_from(result_number).unwrap();
        match name {
            "openat" => {
                let Some(path) = result.split_once('<').and_then(|(_, path)| self.inside(path)) else { return };
                self.places.insert(descriptor(result), 0);
                if arguments.contains("O_CREAT") {
                    self.events.push(Event::Create { path: path.clone() });
                }
                if arguments.contains("O_TRUNC") {
                    self.events.push(Event::Truncate { path, bytes: 0 });
                }
            }
            "write" | "pwrite64" => {
                let Some(path) = self.path_of(arguments) else { return };
                let Some(mut data) = strings(arguments).into_iter().next() else { return };
                data.truncate(usize::try_from(bytes).unwrap());
                let offset = match name {
                    "write" => {
                        let place = self.places.entry(descriptor(arguments)).or_default();
                        let offset = *place;
                        *place += bytes;
                        offset
                    }
                    _ => number_at_end(arguments),
                };
                self.events.push(Event::Write { path, offset, data });
            }
            "ftruncate" => {
                if let Some(path) = self.path_of(arguments) {
                    self.events.push(Event::Truncate { path, bytes: number_at_end(arguments) });
                }
            }
            "fsync" | "fdatasync" => {
                if let (Some(path), Some(number)) = (self.path_of(arguments), sync) {
                    self.events.push(Event::SyncEnds { path, number });
                }
            }
            "mkdir" | "unlink" | "rename" => {
                let paths: Vec<PathBuf> = strings(arguments).iter().filter_map(|text| self.within(text)).collect();
                self.events.extend(match (name, paths.as_slice()) {
                    ("mkdir", [path]) => Some(Event::Folder { path: path.clone() }),
                    ("unlink", [path]) => Some(Event::Remove { path: path.clone() }),
                    ("rename", [from, to]) => Some(Event::Rename { from: from.clone(), to: to.clone() }),
                    _ => None,
                });
            }
            _ => {}
        }
    }

    /// The path that a call's first argument, a descriptor, is shown with.
    fn path_of(&self, arguments: &str) -> Option<PathBuf> {
        self.inside(arguments.split_once('<')?.1)
    }

    /// A path up to its closing bracket, perhaps in hexadecimal.
    fn inside(&self, text: &str) -> Option<PathBuf> {
        let text = text.split_once('>')?.0;
        match text.starts_with("\\x") {
            true => self.within(&unhex(text)),
            false => self.within(text.as_bytes()),
        }
    }

    fn within(&self, path: &[u8]) -> Option<PathBuf> {
        let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        path.strip_prefix(&self.root).ok().map(Path::to_path_buf)
    }
}

fn descriptor(text: &str) -> String {
    text.split(['<', ',', ')']).next().unwrap_or_default().to_owned()
}

fn number_at_end(arguments: &str) -> u64 {
    let last = arguments.trim_end().trim_end_matches(')').rsplit(", ").next().unwrap_or_default();
    last.parse().unwrap()
}

/// The quoted strings of a call, all in hexadecimal.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    quoted.map(unhex).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits.map(|two| u8::from_str_radix(two.get(..2).unwrap_or("0"), 16).unwrap()).collect()
}
