//! How the service misbehaves, by chance and for a while.

use std::collections::BTreeMap;

use whowas::graph::emulator::{Emulator, Quirk, QuirkName};

use super::dice::Dice;
use super::foreign::Foreign;

/// Switches a few faults on, in place of those before.
pub fn strike(emulator: &Emulator, dice: &mut Dice, foreign: &Foreign) {
    let count = dice.pick(&[0, 1, 1, 2, 2, 3]);
    let mut quirks: Vec<Quirk> = (0..count).map(|_| fault(emulator, dice, foreign)).collect();
    if dice.chance(50) {
        // A run that takes its time is one that can be struck in the middle, and raced.
        quirks.push(slow());
    }
    emulator.set_quirks(quirks);
}

fn slow() -> Quirk {
    Quirk::new(QuirkName::SlowBody).times(OFTEN).seconds(0.15)
}

/// Switches all of them off, and tells how often each has shown since it was switched on.
pub fn calm(emulator: &Emulator, shown: &mut BTreeMap<&'static str, u64>) {
    for quirk in emulator.quirks() {
        *shown.entry(quirk.name.name()).or_default() += u64::from(OFTEN.saturating_sub(quirk.times.unwrap_or(0)));
    }
    emulator.set_quirks([]);
}

/// How often a fault shows at most; what is left of it tells how often it has.
const OFTEN: u32 = 2;

fn fault(emulator: &Emulator, dice: &mut Dice, foreign: &Foreign) -> Quirk {
    use QuirkName::*;
    let name = dice.pick(&[
        Throttle,
        Throttle,
        Unavailable,
        Reset,
        Reset,
        Truncated,
        Truncated,
        DeltaTokenExpired,
        PageTokenExpired,
        Unauthorized,
        Forbidden,
        AuditForbidden,
        ErrorInside200,
        ItemWithoutId,
        ItemWithBadId,
        ForeignNextLink,
        EmptyPages,
        UnevenPages,
        Duplicates,
        ShuffledOrder,
        Replay,
        RemovedInInitialRound,
    ]);
    let quirk = Quirk::new(name).times(OFTEN).every(dice.pick(&[1, 1, 2, 3]));
    match name {
        Throttle | Unavailable => quirk.seconds(0.05).style(dice.pick(&["fraction", "fraction", "none"])),
        DeltaTokenExpired => quirk.style(dice.pick(&["gone", "bad_request", "unsupported"])),
        ForeignNextLink => {
            let origin = foreign.origin(dice, &emulator.url());
            quirk.style(&origin)
        }
        _ => quirk,
    }
}
