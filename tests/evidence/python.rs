//! The second verifier, where there is a Python to run it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Set where it must not be left out.
const MUST: &str = "WHOWAS_MUST_PYTHON";

/// The verifier and a folder for its files.
pub struct Python {
    folder: TempDir,
}

/// `None` if there is no Python, which is said where it is seen.
pub fn find() -> Option<Python> {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os(MUST).is_none(), "there is no python3, and {MUST} is set");
    if !found {
        // Written past the test harness, which shows nothing of tests that pass.
        let _ = writeln!(std::io::stderr(), "NOT CHECKED: the verifier in Python, because there is no python3");
        return None;
    }
    Some(Python { folder: tempfile::tempdir().unwrap() })
}

impl Python {
    #[track_caller]
    pub fn accepts(&self, proof: &str, more: &[&str]) -> String {
        let output = self.verify(proof, more);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn refuses(&self, proof: &str, more: &[&str]) {
        let output = self.verify(proof, more);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("does not hold"), "{output:?}");
    }

    #[track_caller]
    pub fn accepts_with_kept(&self, proof: &str, kept: &str) {
        let kept = self.file("kept", kept);
        self.accepts(proof, &["--checkpoint", kept.to_str().unwrap()]);
    }

    #[track_caller]
    pub fn refuses_with_kept(&self, proof: &str, kept: &str) {
        let kept = self.file("kept", kept);
        self.refuses(proof, &["--checkpoint", kept.to_str().unwrap()]);
    }

    /// Flips every so manieth bit.
    #[track_caller]
    pub fn flips(&self, proof: &str, every: usize) {
        let (file, every) = (self.file("proof", proof), every.to_string());
        let output = Self::run("flips.py", &[file.to_str().unwrap(), &every]);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("none accepted") && !said.starts_with("0 "), "{said}");
    }

    fn verify(&self, proof: &str, more: &[&str]) -> Output {
        let file = self.file("proof", proof);
        Self::run("verify.py", &[&[file.to_str().unwrap()], more].concat())
    }

    fn run(script: &str, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence").join(script);
        Command::new("python3").arg("-B").arg(script).args(arguments).output().unwrap()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}
