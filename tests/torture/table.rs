//! What came of it.

use std::fmt;

use super::check::Found;

/// One kind of trial.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub kind: String,
    pub trials: u64,
    /// Everything acknowledged was there, whole and right.
    pub whole: u64,
    /// It was refused or found, with a message that names it.
    pub told: u64,
    /// What could be proved was brought back by repair or rebuild, and the loss was listed.
    pub repaired: u64,
    /// Of what was brought back: commits, and how many there had been.
    pub commits: (u64, u64),
    pub lost: u64,
    pub wrong: u64,
    /// Panics, hangs, messages that help nobody.
    pub broken: u64,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
}

impl Row {
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    /// Counts what was found of a trial.
    pub fn count(&mut self, trial: &str, found: &Found) {
        match found {
            Found::Whole(_) => self.whole += 1,
            Found::Told(_) => self.told += 1,
            Found::Lost(why) => self.fault(trial, "lost", why, |row| &mut row.lost),
            Found::Wrong(why) => self.fault(trial, "wrong", why, |row| &mut row.wrong),
            Found::Broken(why) => self.fault(trial, "broken", why, |row| &mut row.broken),
        }
    }

    pub fn fault(&mut self, trial: &str, what: &str, why: &str, counter: fn(&mut Self) -> &mut u64) {
        *counter(self) += 1;
        if self.notes.len() < NOTES_MAX {
            self.notes.push(format!("{}, {trial}: {what}: {why}", self.kind));
        }
    }

    pub fn is_sound(&self) -> bool {
        self.lost + self.wrong + self.broken == 0
    }
}

const NOTES_MAX: usize = 12;

impl Table {
    pub fn is_sound(&self) -> bool {
        self.rows.iter().all(Row::is_sound)
    }

    pub fn row(&self, kind: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.kind == kind)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| kind | trials | whole | said clearly | brought back | commits of them | lost acknowledged commits | \
             silent wrong answers | panics, hangs |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        )?;
        for row in &self.rows {
            let commits = match row.commits {
                (_, 0) => "–".to_owned(),
                (back, all) => format!("{back} of {all}"),
            };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {commits} | {} | {} | {} |",
                row.kind, row.trials, row.whole, row.told, row.repaired, row.lost, row.wrong, row.broken
            )?;
        }
        for note in self.rows.iter().flat_map(|row| &row.notes) {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}
