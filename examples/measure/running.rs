//! A program that is started, asked over loopback and ended.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process that listens, ended when this is dropped.
pub struct Running {
    child: Child,
    pub url: String,
}

impl Running {
    /// Starts it and waits until it says where it listens.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("it ends before it listens").unwrap();
            match line.strip_prefix("listening on ") {
                Some(url) => break url.to_owned(),
                None => eprintln!("{line}"),
            }
        };
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        Self { child, url }
    }

    pub fn resident_mib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap_or_default();
        text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) / 256
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
