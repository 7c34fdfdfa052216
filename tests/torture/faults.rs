//! Calls to the operating system that fail, as on a dying or a full disk.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::check::{Found, Must, check};
use super::child::{GO, Job, JobKind, Program, Said, path_text, run_and, run_for};
use super::dice::Dice;
use super::kills::unjustified;
use super::place;
use super::table::Row;
use super::truth::{Heads, Truth};
use super::{Options, script::TENANTS};

const STEPS: u64 = 36;
const PATIENCE: Duration = Duration::from_secs(90);

/// How the process is made to suffer.
enum Fault {
    /// A call fails, from its nth time on or that time only.
    Call { call: &'static str, error: &'static str, when: String, file: Option<&'static str> },
    /// A file may not grow beyond so many KiB: writes are cut short, and then fail.
    Short { kib: u64 },
    /// Pages cannot be read any more once the ledger is open, or one of them once. A tracer counts for each thread, so that of one that has
    /// read for long the nth fails before anything of a new one does; so it may also be all of all threads, from some moment on. Of what is read
    /// for the opening, and a moment before it by us, sled would take the rest for the end of the log (`store::sled::readable`).
    Read { error: &'static str, when: String, after: Duration, dies: bool },
}

pub fn faults(options: &Options, program: &Program) -> Row {
    let mut row = Row::new("fault");
    let mut dice = Dice::new(options.seed ^ 0xfa17);
    let mut truth = Truth::new(options.seed);
    let base = TempDir::new().unwrap();
    let mut before: Heads = [0; TENANTS];
    let path = base.path().join("ledger");
    let job = Job { directory: path.clone(), seed: options.seed, steps: 30, kind: JobKind::Append };
    before = run_for(program.command(&job), PATIENCE).acknowledged(before);
    let (mut struck, mut unread) = (0, 0);
    let attaches = super::can_attach();
    for nth in 0..options.faults {
        let (directory, from) = match dice.chance(75) {
            true => (TempDir::new().unwrap(), before),
            false => (TempDir::new().unwrap(), [0; TENANTS]),
        };
        let place = directory.path().join("ledger");
        if from != [0; TENANTS] {
            place::copy(&path, &place);
        }
        let fault = draw(&mut dice, &place, attaches);
        let kind = match fault {
            Fault::Read { dies: true, .. } => JobKind::DieLater,
            Fault::Read { .. } => JobKind::SufferLater,
            _ => JobKind::Suffer,
        };
        let job = Job { directory: place.clone(), seed: options.seed, steps: STEPS, kind };
        let log = directory.path().join("log");
        let mut tracer = None;
        let said = run_and(fault.command(program.command(&job), &place, &log), PATIENCE, |process| {
            let go = place.with_file_name(GO);
            if let Fault::Read { after, .. } = &fault
                && !after.is_zero()
            {
                fs::write(&go, "").unwrap();
                thread::sleep(*after);
            }
            tracer = fault.begin(process, &place, &log);
            fs::write(&go, "").unwrap();
        });
        if let Some(mut tracer) = tracer {
            tracer.wait().unwrap();
        }
        let is_struck = match &fault {
            Fault::Call { .. } | Fault::Read { .. } => {
                fs::read_to_string(&log).is_ok_and(|log| log.contains("(INJECTED)"))
            }
            Fault::Short { .. } => said.has("failed") || said.has("closed "),
        };
        struck += u64::from(is_struck);
        unread += u64::from(is_struck && matches!(fault, Fault::Read { .. }));
        let trial = format!("fault {nth} ({fault})");
        row.trials += 1;
        let acknowledged = said.acknowledged(from);
        let verify = nth % options.verify_every.max(1) == 0;
        let found = check(&place, &mut truth, Must { acknowledged, more: 1, verify });
        let clearly = said.has("stopped") || said.first("closed ").is_some_and(|rest| rest != "well");
        // No file may grow, so no copy can be read either; or nothing can be read. What is not answered then is at least said.
        let may_be_unanswered = match &fault {
            Fault::Call { .. } => false,
            Fault::Short { .. } => true,
            Fault::Read { when, .. } => when.ends_with('+'),
        };
        match (trouble(&said, &mut truth, may_be_unanswered), unjustified(found)) {
            (Some(why), _) => row.fault(&trial, "broken", &why, |row| &mut row.broken),
            (None, Found::Whole(_)) if clearly => {
                row.told += 1;
                row.whole += 1;
            }
            (None, found) => row.count(&trial, &found),
        }
        if !row.is_sound() {
            place::keep(options, &place, &trial);
        }
        if options.tells && nth % 50 == 49 {
            eprintln!("{} faults", nth + 1);
        }
    }
    row.notes.push(format!(
        "fault: {struck} of them came to pass, {unread} of reading; where it is said clearly, the ledger is whole as well"
    ));
    if !attaches {
        row.notes
            .push("fault: NOT TRIED: reading that fails; strace may not attach to a process that runs here".to_owned());
    }
    row
}

/// What of a process's behaviour is not as it must be.
fn trouble(said: &Said, truth: &mut Truth, may_be_unanswered: bool) -> Option<String> {
    if said.hung {
        return Some(format!("it did not end; it said {:?}", said.lines.last()));
    }
    let forbidden: &[&str] =
        if may_be_unanswered { &["wrong", "unclear"] } else { &["wrong", "unclear", "unanswered"] };
    if let Some(line) = said.lines.iter().find(|line| forbidden.iter().any(|word| line.starts_with(word))) {
        return Some(format!("{line}, after {:?}", said.first("failed ")));
    }
    if said.has("failed ") && !said.has("suffered") {
        return Some(format!("it died after it said {:?}", said.lines.last()));
    }
    for line in said.lines.iter().filter_map(|line| line.strip_prefix("answers ")) {
        let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        let tenant = usize::try_from(numbers[0]).unwrap();
        let right = truth.after(tenant, numbers[1]).answers;
        if right != numbers[2..] {
            let which: Vec<bool> = right.iter().zip(&numbers[2..]).map(|(right, said)| right == said).collect();
            let error = said.first("failed ");
            return Some(format!(
                "tenant {tenant} is answered otherwise (head, who, check, findings: {which:?}) after {error:?}"
            ));
        }
    }
    None
}

fn draw(dice: &mut Dice, place: &Path, attaches: bool) -> Fault {
    if dice.chance(12) {
        let bytes = fs::metadata(place.join("engine/db")).map_or(0, |file| file.len());
        return Fault::Short { kib: bytes / 1024 + dice.below(700) };
    }
    let error = dice.pick(&["EIO", "ENOSPC", "EIO", "ENOSPC", "EDQUOT"]);
    if attaches && dice.chance(15) {
        let dies = dice.chance(40);
        return match dice.chance(40) {
            true => Fault::Read {
                error: "EIO",
                when: "1+".to_owned(),
                after: Duration::from_millis(1 + dice.below(500)),
                dies,
            },
            false => Fault::Read { error: "EIO", when: when(dice, 120), after: Duration::ZERO, dies },
        };
    }
    // The engine's own file is named, so that a copy elsewhere is on a disk that works.
    let (call, most, files): (_, u64, &[Option<&'static str>]) = dice.pick(&[
        ("pwrite64", 40, &[Some("engine/db")] as &[Option<&'static str>]),
        ("pwrite64", 12, &[Some("engine/db")]),
        ("sync_file_range", 40, &[Some("engine/db")]),
        ("fdatasync", 40, &[Some("engine/db")]),
        ("fsync", 5, &[None]),
        ("write", 20, &[Some("commits"), Some("holder.json.new"), Some("format.new"), Some("engine/conf")]),
        ("ftruncate", 2, &[None]),
        ("openat", 60, &[None]),
        ("rename", 3, &[None]),
        ("unlink", 2, &[None]),
        ("mkdir", 2, &[None]),
        ("read", 2, &[Some("format"), Some("commits"), Some("engine/conf")]),
        ("read", 9, &[Some("engine/db")]),
    ]);
    Fault::Call { call, error, when: when(dice, most), file: dice.pick(files) }
}

/// Which of the calls fail. Most faults stay.
fn when(dice: &mut Dice, most: u64) -> String {
    let first = 1 + dice.below(most);
    if dice.chance(70) { format!("{first}+") } else { first.to_string() }
}

impl Fault {
    fn command(&self, plain: Command, place: &Path, log: &Path) -> Command {
        let mut command;
        match self {
            Self::Call { call, error, when, file } => {
                command = injecting(call, error, when, file.map(|file| place.join(file)), log);
            }
            Self::Read { .. } => return plain,
            Self::Short { kib } => {
                command = Command::new("bash");
                command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &kib.to_string()]);
            }
        }
        command.arg(plain.get_program()).args(plain.get_args());
        command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command
    }

    /// What comes over a process that runs; when this is back it has begun.
    fn begin(&self, process: u32, place: &Path, log: &Path) -> Option<Child> {
        let Self::Read { error, when, .. } = self else { return None };
        attach(injecting("pread64", error, when, Some(place.join("engine/db")), log), process)
    }
}

/// Has a tracer come over a process that runs; `None` if it may not, or the process has ended.
pub fn attach(mut tracer: Command, process: u32) -> Option<Child> {
    let mut tracer = tracer.args(["-p", &process.to_string()]).stderr(Stdio::piped()).spawn().unwrap();
    // It says that it is attached, or why it cannot be; and more later, which nobody wants to know but must be taken.
    let (mut says, mut said) = (BufReader::new(tracer.stderr.take().unwrap()), String::new());
    let _ = says.read_line(&mut said);
    thread::spawn(move || io::copy(&mut says, &mut io::sink()));
    if said.contains("attached") {
        return Some(tracer);
    }
    // Whatever it says instead, nobody waits for what it does.
    let _ = tracer.kill();
    tracer.wait().unwrap();
    None
}

/// A tracer that has calls fail, of one file or all.
pub fn injecting(call: &str, error: &str, when: &str, file: Option<PathBuf>, log: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", &path_text(log), "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:error={error}:when={when}")]);
    if let Some(file) = file {
        command.args(["-P", &path_text(&file)]);
    }
    command
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Call { call, error, when, file } => write!(f, "{call} {error} {when} {}", file.unwrap_or("")),
            Self::Short { kib } => write!(f, "no file beyond {kib} KiB"),
            Self::Read { error, when, after, dies } => {
                let end = if *dies { ", dies" } else { "" };
                write!(f, "reading a page {error} {when} after {} ms{end}", after.as_millis())
            }
        }
    }
}
