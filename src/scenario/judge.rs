//! Holding what was answered against what was expected.

use super::expect::Answer;
use super::script::{Script, Step, Verb};
use super::stage::Played;

/// One expectation that is not met.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The line of the expectation.
    pub line: usize,
    /// The question, as the file says it.
    pub question: String,
    /// What was expected, as the file says it.
    pub expected: String,
    /// What was answered instead, in the words of the file.
    pub got: String,
}

/// Everything that was answered otherwise than expected, in the order of the file.
pub fn differences(script: &Script, played: &Played) -> Vec<Difference> {
    let both = script.steps.iter().zip(&played.answers);
    both.flat_map(|(step, answer)| of_step(step, answer, played)).collect()
}

fn of_step(step: &Step, answer: &Answer, played: &Played) -> Vec<Difference> {
    let differ = |line, expected: &str, got| Difference {
        line,
        question: step.text.clone(),
        expected: expected.to_owned(),
        got,
    };
    if step.checks.is_empty() {
        // What nothing is expected of is expected to be done.
        let unmet = match answer {
            Err(why) => Some(format!("refused \"{}\"", played.names.spoken(why))),
            Ok(run) if matches!(step.verb, Verb::Sync(_)) => {
                let outcome = run.get("outcome").and_then(serde_json::Value::as_str);
                outcome.filter(|outcome| *outcome != "completed").map(str::to_owned)
            }
            Ok(_) => None,
        };
        return unmet.map(|got| differ(step.line, "done", got)).into_iter().collect();
    }
    let checks = step.checks.iter();
    let unmet = checks.filter_map(|check| {
        let got = check.differs(answer, &step.checks, &played.names)?;
        Some(differ(check.line, &check.text, got))
    });
    let mut all: Vec<Difference> = unmet.collect();
    // Several parts of one expectation, or several of one list, would say the same thing again.
    all.dedup_by(|a, b| a.line == b.line && a.got == b.got && a.expected == b.expected);
    all
}
