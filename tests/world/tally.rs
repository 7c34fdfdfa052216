//! Numbers over many worlds, and the table of them.

use std::fmt::Write as _;

macro_rules! tally {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// Sums over worlds.
        #[derive(Clone, Debug, Default)]
        pub struct Tally {
            $($(#[$doc])* pub $field: u64,)*
            /// The fewest of any world.
            pub fewest_changes: u64,
            pub fewest_snapshots: u64,
        }

        impl Tally {
            pub fn add(&mut self, other: &Self) {
                let first = self.worlds == 0;
                $(self.$field += other.$field;)*
                let least = |a: u64, b: u64| if first { b } else { a.min(b) };
                self.fewest_changes = least(self.fewest_changes, other.fewest_changes);
                self.fewest_snapshots = least(self.fewest_snapshots, other.fewest_snapshots);
            }
        }
    };
}

tally! {
    worlds,
    /// Changes of the directory.
    changes,
    /// Rounds, reconciles, live reads and readings of the audit log.
    readings,
    facts,
    snapshots,
    scorings,
    asks,
    allowed,
    /// Verdicts given on an hour's age that were wrong: the price of that policy.
    stale_verdicts_wrong,
    /// Snapshots by name, once settled, without a receipt of both ends.
    by_name,
    certain,
    assumed,
    assumed_false,
    ambiguous,
    nobody,
    nobody_false,
    unknown,
    unsettled,
    /// Those left ambiguous or unknown, by what explains it.
    by_edge,
    by_propagation,
    by_blindness,
    by_namespaces,
    unexplained,
    /// Those of the snapshots by name that were addressed as a user principal name, which the audit log tells of.
    by_upn,
    upn_open,
    upn_by_propagation,
    upn_by_edge,
    /// Settled attributions that were another later.
    resettled,
    /// Snapshots of which something else is stored than the ledger would say anew.
    stored_differs,
    chains,
    chains_mixed,
    mixed_found_critical,
    mixed_found_warning,
    /// Chains that are mixed although no fact told could show it.
    mixed_unshowable,
    // The baselines, over the same snapshots.
    base_snapshots,
    keyed_by_name_false,
    keyed_by_name_worlds,
    crisp_false,
    crisp_unknown,
    crisp_worlds,
}

impl Tally {
    /// The table: one column for each tally, such as with and without audits.
    pub fn table(columns: &[(&str, &Self)]) -> String {
        let mut out = String::new();
        let mut row = |name: &str, cell: &dyn Fn(&Self) -> String| {
            _ = write!(out, "| {name:<66} |");
            for (_, tally) in columns {
                _ = write!(out, " {:>20} |", cell(tally));
            }
            out.push('\n');
        };
        row("", &|tally| columns.iter().find(|(_, t)| std::ptr::eq(*t, tally)).map_or("", |(name, _)| name).to_owned());
        row(&"-".repeat(66), &|_| "-".repeat(20));
        let share = |part: u64, whole: u64| match whole {
            0 => "-".to_owned(),
            _ => format!("{part} ({:.2} %)", part as f64 * 100.0 / whole as f64),
        };
        row("worlds", &|t| t.worlds.to_string());
        row("directory changes and readings in a world: mean / fewest", &|t| {
            format!("{} / {}", (t.changes + t.readings) / t.worlds.max(1), t.fewest_changes)
        });
        row("snapshots in a world: mean / fewest", &|t| {
            format!("{} / {}", t.snapshots / t.worlds.max(1), t.fewest_snapshots)
        });
        row("facts told", &|t| t.facts.to_string());
        row("times that everything was scored", &|t| t.scorings.to_string());
        row("asks judged / allowed", &|t| format!("{} / {}", t.asks, t.allowed));
        row("  allowed on an hour's age, and wrong", &|t| t.stale_verdicts_wrong.to_string());
        row("by-name snapshots, settled, without a whole receipt", &|t| t.by_name.to_string());
        row("  certain", &|t| share(t.certain, t.by_name));
        row("  assumed", &|t| share(t.assumed, t.by_name));
        row("    of these false", &|t| share(t.assumed_false, t.assumed));
        row("  nobody, as far as known", &|t| share(t.nobody, t.by_name));
        row("    of these false", &|t| share(t.nobody_false, t.nobody));
        row("  ambiguous", &|t| share(t.ambiguous, t.by_name));
        row("  unknown", &|t| share(t.unknown, t.by_name));
        row("ambiguous or unknown, explained by an unresolved edge", &|t| share(t.by_edge, t.by_name));
        row("  by a known change within the propagation", &|t| share(t.by_propagation, t.by_name));
        row("  by a time that no horizon covers", &|t| share(t.by_blindness, t.by_name));
        row("  by the two namespaces naming different people", &|t| share(t.by_namespaces, t.by_name));
        row("  by nothing", &|t| share(t.unexplained, t.by_name));
        row("by user principal name, settled, without a whole receipt", &|t| t.by_upn.to_string());
        row("  ambiguous or unknown", &|t| share(t.upn_open, t.by_upn));
        row("    by a known change within the propagation", &|t| share(t.upn_by_propagation, t.by_upn));
        row("    by an unresolved edge", &|t| share(t.upn_by_edge, t.by_upn));
        row("snapshots that never settled", &|t| t.unsettled.to_string());
        row("settled attributions that changed later", &|t| t.resettled.to_string());
        row("stored judgements that differ from one made anew, at the end", &|t| t.stored_differs.to_string());
        row("chains / truly mixed", &|t| format!("{} / {}", t.chains, t.chains_mixed));
        row("  with a critical finding", &|t| share(t.mixed_found_critical, t.chains_mixed));
        row("  with a warning", &|t| share(t.mixed_found_warning, t.chains_mixed));
        row("  that no fact told could show", &|t| share(t.mixed_unshowable, t.chains_mixed));
        row("baseline keyed by name: by-name snapshots of another person", &|t| {
            share(t.keyed_by_name_false, t.base_snapshots)
        });
        row("  worlds affected", &|t| share(t.keyed_by_name_worlds, t.worlds));
        row("baseline by id, crisp polls: snapshots given to the wrong person", &|t| {
            share(t.crisp_false, t.base_snapshots)
        });
        row("  given to nobody", &|t| share(t.crisp_unknown, t.base_snapshots));
        row("  worlds affected", &|t| share(t.crisp_worlds, t.worlds));
        out
    }
}
