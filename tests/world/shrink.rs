//! Makes a failing world small: leaves out steps, by halves and then by fewer, while it still fails in the same way.

use super::score::Wrong;
use super::script::Script;
use super::sim::{Options, play};

/// How many worlds may be played to shrink one.
const PLAYS_MAX: usize = 1_500;

/// The smallest script found that is wrong in the same way.
pub fn shrink(script: &Script, options: Options, wrong: Wrong) -> Script {
    let fails = |script: &Script| play(script, options).fault.is_some_and(|fault| fault.wrong == wrong);
    let mut best = script.clone();
    let mut plays = 0;
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 && plays < PLAYS_MAX {
        let mut start = 0;
        let mut any = false;
        while start < best.steps.len() && plays < PLAYS_MAX {
            let mut fewer = best.clone();
            let end = (start + size).min(fewer.steps.len());
            fewer.steps.drain(start..end);
            plays += 1;
            if fails(&fewer) {
                best = fewer;
                any = true;
            } else {
                start += size;
            }
        }
        size = if any && size == 1 { 1 } else { size / 2 };
    }
    best
}
