//! The process that is struck: it opens a ledger, appends, and says line by line what it did.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant as Moment};

use whowas::domain::time::Instant;
use whowas::ledger::{Ledger, LedgerError};
use whowas::store::StoreError;
use whowas::store::sled::{LedgerKey, SledOptions, SledStore};

use super::script::{self, TENANTS};
use super::truth::{self, Heads};

/// Says to a process that it is the one, and what its job is.
pub const PROGRAM_VARIABLE: &str = "WHOWAS_TORTURE";

/// What is waited for.
pub const GO: &str = "go";

/// Says that the ledgers are encrypted.
pub const ENCRYPTED_VARIABLE: &str = "WHOWAS_TORTURE_ENCRYPTED";

/// How the process is started.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<String>,
}

/// What the process is to do.
#[derive(Clone, Debug)]
pub struct Job {
    pub directory: PathBuf,
    pub seed: u64,
    /// How many steps at most.
    pub steps: u64,
    pub kind: JobKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Append until the end or death.
    Append,
    /// Append until something fails, then show that nothing more is written and everything still answered.
    Suffer,
    /// The same, but once it is open it waits for the file [`GO`] beside its directory.
    SufferLater,
    /// The same, but it ends at once when something fails, without closing anything.
    DieLater,
    /// Derive everything anew.
    Rebuild,
}

pub fn options(command: &str) -> SledOptions {
    let now = Instant::from_micros(1_700_000_000_000_000);
    SledOptions {
        create: true,
        cache_capacity_bytes: 8 << 20,
        patience: Duration::from_secs(20),
        free_bytes_min: 0,
        key: std::env::var_os(ENCRYPTED_VARIABLE).map(|_| LedgerKey::new([5; 32], [6; 32])),
        ..SledOptions::new(command, now)
    }
}

impl Program {
    pub fn command(&self, job: &Job) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env(PROGRAM_VARIABLE, job.text());
        command
    }
}

impl Job {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n{:?}", self.directory.display(), self.seed, self.steps, self.kind)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        Some(Self {
            directory: lines.next()?.into(),
            seed: lines.next()?.parse().ok()?,
            steps: lines.next()?.parse().ok()?,
            kind: match lines.next()? {
                "Suffer" => JobKind::Suffer,
                "SufferLater" => JobKind::SufferLater,
                "DieLater" => JobKind::DieLater,
                "Rebuild" => JobKind::Rebuild,
                _ => JobKind::Append,
            },
        })
    }
}

/// Does the job if this process was started for one; says whether it was.
pub fn play_if_asked() -> bool {
    let Ok(text) = std::env::var(PROGRAM_VARIABLE) else { return false };
    let job = Job::read(&text).unwrap();
    if play(&job).is_none() {
        // Whoever listened is gone.
        std::process::exit(3);
    }
    true
}

fn say(line: &str) -> Option<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| out.flush()).ok()
}

fn play(job: &Job) -> Option<()> {
    let mut options = SledOptions { rebuild: job.kind == JobKind::Rebuild, ..options("torture") };
    let is_later = matches!(job.kind, JobKind::SufferLater | JobKind::DieLater);
    if is_later {
        // So little that hardly a page stays.
        options.cache_capacity_bytes = 64 << 10;
    }
    let store = match SledStore::open(&job.directory, options) {
        Ok(store) => store,
        Err(error) => return say(&format!("closed {}", one_line(&error))),
    };
    if is_later {
        // As in a service: what a commit writes nobody has read for it.
        store.keep_resident(64 << 20);
        while store.fill_resident().ok()? {}
    }
    let ledger = Ledger::new(store);
    say("open")?;
    if is_later {
        let go = job.directory.with_file_name(GO);
        while !go.exists() {
            thread::sleep(Duration::from_millis(1));
        }
    }
    if job.kind == JobKind::Rebuild {
        return match ledger.rebuild(|_| ()) {
            Ok(_) => say("rebuilt"),
            Err(error) => say(&format!("failed {}", one_line(&error))),
        };
    }
    let mut heads: Heads = [0; TENANTS];
    for (tenant, head) in heads.iter_mut().enumerate() {
        match ledger.head(script::tenant(tenant)) {
            Ok(found) => *head = found.sequence.0,
            Err(error) => return say(&format!("closed {}", one_line(&error))),
        }
    }
    for nth in 0..job.steps {
        let tenant = usize::try_from((heads.iter().sum::<u64>() + nth / 7) % TENANTS as u64).unwrap();
        let (batch, stamp) = script::step(job.seed, tenant, heads[tenant]);
        match ledger.append(script::tenant(tenant), batch, stamp) {
            Ok(appended) => {
                heads[tenant] = appended.head.sequence.0;
                say(&format!("acknowledged {tenant} {}", heads[tenant]))?;
            }
            Err(error) => {
                say(&format!("failed {}", one_line(&error)))?;
                if job.kind == JobKind::DieLater {
                    say("stopped")?;
                    say("suffered")?;
                    std::process::abort();
                }
                return suffer(&ledger, job, &heads, tenant, &error);
            }
        }
        if (job.kind == JobKind::Suffer || is_later) && nth == job.steps / 2 {
            // The engine's own threads get their turn.
            thread::sleep(Duration::from_millis(600));
        }
    }
    drop(ledger);
    say("closed well")
}

/// After a failed write: the next one is refused for that reason, and questions are answered as before it.
fn suffer(ledger: &Ledger, job: &Job, heads: &Heads, tenant: usize, error: &LedgerError) -> Option<()> {
    let (batch, stamp) = script::step(job.seed, tenant, heads[tenant]);
    let is_soft = matches!(error, LedgerError::Store(StoreError::DiskFull { .. }));
    match ledger.append(script::tenant(tenant), batch, stamp) {
        // Whoever must read first may meet the disk's own word.
        Err(LedgerError::Store(StoreError::Stopped { .. } | StoreError::Io { .. })) => say("stopped")?,
        Err(again) if is_soft => say(&format!("soft {}", one_line(&again)))?,
        Err(other) => say(&format!("unclear {}", one_line(&other)))?,
        Ok(_) => say("wrong: it went on writing after a failed write")?,
    }
    for (tenant, head) in heads.iter().enumerate() {
        match truth::answers(ledger, tenant) {
            Ok([a, b, c, d]) => say(&format!("answers {tenant} {head} {a} {b} {c} {d}"))?,
            Err(error) => say(&format!("unanswered {tenant} {}", one_line(&error)))?,
        }
    }
    say("suffered")
}

pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text.replace('\n', " ")
}

/// What a process said until it died or was killed.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub lines: Vec<String>,
    /// It had to be killed because it did not end.
    pub hung: bool,
}

impl Said {
    pub fn has(&self, beginning: &str) -> bool {
        self.lines.iter().any(|line| line.starts_with(beginning))
    }

    pub fn first(&self, beginning: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(beginning))
    }

    /// What was acknowledged, beginning with what was before.
    pub fn acknowledged(&self, before: Heads) -> Heads {
        let mut heads = before;
        for line in &self.lines {
            if let Some((tenant, head)) = line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' ')) {
                heads[tenant.parse::<usize>().unwrap()] = head.parse().unwrap();
            }
        }
        heads
    }
}

/// Runs it to its end, or for so long.
pub fn run_for(command: Command, patience: Duration) -> Said {
    run_and(command, patience, |_| ())
}

/// The same; once it is open, `meanwhile` is given its id. What that begins goes on to its end.
pub fn run_and(mut command: Command, patience: Duration, meanwhile: impl FnOnce(u32)) -> Said {
    let mut child = start(&mut command);
    let lines = listen(&mut child);
    let until = Moment::now() + patience;
    let (mut said, mut meanwhile) = (Said::default(), Some(meanwhile));
    loop {
        if said.has("open")
            && let Some(begin) = meanwhile.take()
        {
            begin(child.id());
        }
        match lines.recv_timeout(until.saturating_duration_since(Moment::now())) {
            Ok(line) => said.lines.push(line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                said.hung = true;
                break;
            }
        }
    }
    end(&mut child);
    said.lines.extend(lines.iter());
    said
}

/// Runs it and kills it after a while, counted from its start or from when it was open.
pub fn kill_after(mut command: Command, since_open: bool, pause: Duration) -> Said {
    let mut child = start(&mut command);
    let lines = listen(&mut child);
    let mut said = Said::default();
    if since_open {
        while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
            let is_open = line.starts_with("open");
            said.lines.push(line);
            if is_open {
                break;
            }
        }
    }
    thread::sleep(pause);
    end(&mut child);
    said.lines.extend(lines.iter());
    said
}

fn start(command: &mut Command) -> Child {
    use std::os::unix::process::CommandExt;
    // A group of its own, so that a tracer and what it traces end together.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn end(child: &mut Child) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).stderr(Stdio::null()).status();
    let _ = child.kill();
    child.wait().unwrap();
}

fn listen(child: &mut Child) -> Receiver<String> {
    let out = child.stdout.take().unwrap();
    let (send, lines) = channel();
    thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            // A line without its end was not said.
            if line.last() == Some(&b'\n') && line.len() > 1 {
                let _ = send.send(String::from_utf8_lossy(&line[..line.len() - 1]).into_owned());
            }
            line.clear();
        }
        let _ = out.read_to_end(&mut line);
    });
    lines
}

pub fn path_text(path: &Path) -> String {
    path.display().to_string()
}
